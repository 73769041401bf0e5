/** `stats`: the figures of a log as a table, as lines of JSON or as CSV. */
import { type Command, Option } from 'commander'
import { InvalidInputError } from '../../events/errors/usage.ts'
import { dollarsSpent, duration } from '../../events/figures.ts'
import { type Grouping, type Statistics, statistics } from '../../history/statistics.ts'
import { type GlobalOptions, withGlobals } from '../global-options.ts'
import { readStore } from '../session.ts'
import { list } from '../terminal/list.ts'
import type { Terminal } from '../terminal/output.ts'
import { table } from '../terminal/table.ts'
import { inert } from '../terminal/text.ts'

export function statsCommand(command: Command): void {
  command
    .description('show tasks, failures, retries, durations, tokens and cost')
    .addOption(
      new Option('--by <what>', 'one line for each').choices(['agent', 'run', 'day']).default('agent'),
    )
    .option('--csv', 'print comma-separated values')
    .action(withGlobals(stats))
}

function stats(
  globals: GlobalOptions,
  { by, csv = false }: { readonly by: Grouping; readonly csv?: boolean },
) {
  if (csv && globals.json)
    throw new InvalidInputError({
      what: 'stats --csv',
      problem: 'it cannot be combined with --json',
      hint: 'Leave out one of them.',
    })
  return readStore(globals, async ({ orchestrator, terminal }) => {
    const rows = await statistics(orchestrator.store, by)
    if (csv) printCsv(terminal, by, rows)
    else if (terminal.json) for (const { key, ...row } of rows) terminal.value({ [by]: key, ...row })
    else list(terminal, rows, 'No task has ended yet.', () => tableLines(terminal, by, rows))
  })
}

const FIGURES = [
  'tasks',
  'succeeded',
  'failed',
  'cancelled',
  'retries',
  'p50Ms',
  'p95Ms',
  'inputTokens',
  'outputTokens',
  'tokens',
  'costUsd',
  'estimatedCostUsd',
] as const satisfies readonly (keyof Statistics)[]

function printCsv(terminal: Terminal, by: Grouping, rows: readonly Statistics[]): void {
  terminal.line([by, ...FIGURES, 'failures'].join(','))
  for (const row of rows) {
    const figures = FIGURES.map((figure) => row[figure] ?? '')
    terminal.line([quoted(inert(row.key ?? '')), ...figures, quoted(failuresOf(row, ' '))].join(','))
  }
}

const quoted = (text: string) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)

const failuresOf = ({ failures }: Statistics, separator: string) =>
  Object.entries(failures)
    .map(([tag, count]) => `${inert(tag)}:${count}`)
    .join(separator)

/** Left out on a narrow terminal: `--json` and `--csv` have them all. */
const SPARE = new Set(['CANCELLED', 'RETRIES', 'P95', 'TOKENS'])

function tableLines(terminal: Terminal, by: Grouping, rows: readonly Statistics[]): readonly string[] {
  const figures = ['TASKS', 'DONE', 'FAILED', 'CANCELLED', 'RETRIES', 'P50', 'P95', 'TOKENS', 'COST']
  return table(
    terminal,
    [
      { head: by.toUpperCase(), flexible: true },
      ...figures.map((head) => ({ head, right: true, spare: SPARE.has(head) })),
      { head: 'FAILURES', flexible: true, spare: true },
    ],
    rows.map((row) => [
      row.key ?? '(no run)',
      ...[row.tasks, row.succeeded, row.failed, row.cancelled, row.retries],
      ...[row.p50Ms, row.p95Ms].map((ms) => (ms === null ? '-' : duration(ms))),
      row.tokens,
      dollarsSpent(row.costUsd, row.estimatedCostUsd),
      ['red', failuresOf(row, ', ')],
    ]),
  )
}
