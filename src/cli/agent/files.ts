/** `agent path | files | diff | undo`: the files of an agent, turn by turn. */
import { existsSync } from 'node:fs'
import type { Command } from 'commander'
import type { FilesDiff } from '../../actors/agent/files.ts'
import { InvalidInputError } from '../../events/errors/usage.ts'
import { plural } from '../../events/figures.ts'
import { visible, visibleName } from '../../events/hidden-characters.ts'
import { defined } from '../../events/json.ts'
import { userName } from '../../inbox/user-name.ts'
import { oneOrMore, zeroOrMore } from '../arguments.ts'
import { type GlobalOptions, withGlobals } from '../global-options.ts'
import { hasWorkers } from '../session.ts'
import { list } from '../terminal/list.ts'
import type { Terminal } from '../terminal/output.ts'
import { table } from '../terminal/table.ts'
import { readAgent, readAgentFiles, withAgent } from './agents.ts'

/** @param agent The command `agent`. */
export function filesCommands(agent: Command): void {
  agent
    .command('path <id>')
    .description('print the directory that an agent works in')
    .action(withGlobals(path))
  agent
    .command('files <id>')
    .description('list the files of an agent')
    .option('--at <version>', 'as they were at this version of its stream', oneOrMore)
    .action(withGlobals(files))
  agent
    .command('diff <id>')
    .description('show what an agent has done to its files')
    .option('--turn <n>', 'only what this turn has done', oneOrMore)
    .option('--since <ref>', 'since this commit (default: where the agent began)')
    .option('--stat', 'only how many lines of each file')
    .action(withGlobals(diff))
  agent
    .command('undo <id>')
    .description('bring the files back to before the last turn that is not undone; the conversation stays')
    .option(
      '--to <turn>',
      'to what they were after this turn, also forwards; 0 is where the agent began',
      zeroOrMore,
    )
    .action(withGlobals(undo))
}

async function path(globals: GlobalOptions, id: string) {
  const isInWorker = await hasWorkers(globals)
  return readAgent(globals, id, async ({ workspace }, { terminal }) => {
    if (isInWorker && !existsSync(workspace))
      throw new InvalidInputError({
        what: `agent path ${id}`,
        problem: 'its directory is that of the worker in which it lives, and not here',
        hint: `Name the base directory of that worker: --base-dir DIR. To see the files: claude-agents agent files ${id}`,
      })
    if (terminal.json) terminal.value({ agent: id, path: workspace })
    else terminal.line(workspace)
  })
}

function files(globals: GlobalOptions, id: string, options: { readonly at?: number }) {
  return readAgentFiles(globals, id, async (agent, { terminal }) =>
    list(terminal, await agent.files.list(options), `${id} has no files.`, (found) =>
      found.map(({ path: name }) => visibleName(name)),
    ),
  )
}

interface DiffWords {
  readonly turn?: number
  readonly since?: string
  readonly stat?: boolean
}

function diff(globals: GlobalOptions, id: string, { turn, since, stat = false }: DiffWords) {
  return readAgentFiles(globals, id, async (agent, { terminal }) => {
    const options = defined({ turn, since })
    const found = await agent.files.diff(options)
    if (terminal.json) return terminal.value(found)
    if (found.files.length === 0) return terminal.note('Nothing has changed.')
    if (stat) return printStat(terminal, found)
    printPatch(terminal, await agent.files.patch(options))
  })
}

export function printPatch(terminal: Terminal, patch: string): void {
  for (const line of patch.replace(/\n$/, '').split('\n')) terminal.line(coloured(terminal, line))
}

export function printStat(terminal: Terminal, { files: changed }: FilesDiff): void {
  const count = (lines: number | null) => (lines === null ? 'binary' : String(lines))
  const columns = [
    { head: 'FILE' },
    { head: 'CHANGE' },
    { head: 'ADDED', right: true },
    { head: 'REMOVED', right: true },
  ]
  const rows = changed.map(({ path: name, status, added, removed }) => [
    visibleName(name),
    status,
    count(added),
    count(removed),
  ])
  for (const line of table(terminal, columns, rows)) terminal.line(line)
  const sum = (of: 'added' | 'removed') => changed.reduce((total, file) => total + (file[of] ?? 0), 0)
  terminal.note(
    `${plural(changed.length, 'file')}, ${plural(sum('added'), 'line')} added, ${sum('removed')} removed`,
  )
}

function coloured(terminal: Terminal, line: string): string {
  const shown = visible(line.replace(/\r$/, ''))
  if (/^(diff|index|---|\+\+\+) /.test(line)) return terminal.style('dim', shown)
  if (line.startsWith('+')) return terminal.style('green', shown)
  return line.startsWith('-') ? terminal.style('red', shown) : shown
}

function undo(globals: GlobalOptions, id: string, options: { readonly to?: number }) {
  return withAgent(globals, id, async (agent, { terminal }) => {
    const undone = await agent.files.undo({ ...options, by: userName() })
    if (terminal.json) return terminal.value(undone)
    terminal.line(`The files of ${id} are as they were ${wordsFor(options.to)}.`)
    terminal.note(`Its conversation goes on as it was. To see where it is: claude-agents agent diff ${id}`)
  })
}

function wordsFor(to: number | undefined): string {
  if (to === undefined) return 'before its last turn that was not undone'
  return to === 0 ? 'when it began' : `after turn ${to}`
}
