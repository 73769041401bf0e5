/** `stats`: the figures of a log, as a table, as lines of JSON or as CSV. */
import type { Grouping, Statistics } from '../history/statistics.ts'
import { noteNoStore } from './agent-commands.ts'
import { type GlobalOptions, hasStore } from './global-options.ts'
import { withSession } from './session.ts'
import { inert, type Terminal } from './terminal.ts'

export async function stats(
  globals: GlobalOptions,
  { by, csv = false }: { readonly by: Grouping; readonly csv?: boolean },
): Promise<void> {
  if (!hasStore(globals)) return noteNoStore(globals)
  const { statistics } = await import('../history/statistics.ts')
  return withSession(globals, async ({ orchestrator, terminal }) => {
    const rows = await statistics(orchestrator.store, by)
    if (csv) printCsv(terminal, by, rows)
    else if (terminal.json) for (const { key, ...row } of rows) terminal.value({ [by]: key, ...row })
    else printTable(terminal, by, rows)
  })
}

const COLUMNS = [
  'tasks',
  'succeeded',
  'failed',
  'cancelled',
  'retries',
  'p50Ms',
  'p95Ms',
  'inputTokens',
  'outputTokens',
  'costUsd',
] as const satisfies readonly (keyof Statistics)[]

function printCsv(terminal: Terminal, by: Grouping, rows: readonly Statistics[]): void {
  terminal.line([by, ...COLUMNS, 'failures'].join(','))
  for (const row of rows) {
    const figures = COLUMNS.map((column) => row[column] ?? '')
    terminal.line([quoted(inert(row.key ?? '')), ...figures, quoted(failuresOf(row, ' '))].join(','))
  }
}

const quoted = (text: string) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)

const failuresOf = ({ failures }: Statistics, between: string) =>
  Object.entries(failures)
    .map(([tag, count]) => `${inert(tag)}:${count}`)
    .join(between)

function printTable(terminal: Terminal, by: Grouping, rows: readonly Statistics[]): void {
  if (rows.length === 0) {
    terminal.note('No task has ended yet.')
    return
  }
  const names = rows.map(({ key }) => inert(key ?? '(no run)'))
  const width = Math.max(by.length, ...names.map((name) => name.length))
  const head = [
    'TASKS',
    ' DONE',
    'FAILED',
    'CANCELLED',
    'RETRIES',
    '     P50',
    '     P95',
    '    TOKENS',
    '      COST',
  ]
  terminal.line(terminal.style('dim', `${by.toUpperCase().padEnd(width)}  ${head.join('  ')}  FAILURES`))
  rows.forEach((row, index) => {
    const { tasks, succeeded, failed, cancelled, retries, p50Ms, p95Ms, inputTokens, outputTokens, costUsd } =
      row
    const figures = [tasks, succeeded, failed, cancelled, retries]
    const times = [duration(p50Ms), duration(p95Ms), inputTokens + outputTokens, `$${costUsd.toFixed(4)}`]
    const cells = [...figures, ...times].map((cell, column) =>
      String(cell).padStart(head[column]?.length ?? 0),
    )
    const problems = terminal.style('red', failuresOf(row, ', '))
    terminal.line(`${(names[index] ?? '').padEnd(width)}  ${cells.join('  ')}  ${problems}`.trimEnd())
  })
}

function duration(ms: number | null): string {
  if (ms === null) return '-'
  return ms < 1000
    ? `${ms} ms`
    : ms < 60_000
      ? `${(ms / 1000).toFixed(1)} s`
      : `${(ms / 60_000).toFixed(1)} min`
}
