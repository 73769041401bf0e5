/** `log verify | repair`: what is wrong with a store, and what can be saved of it. Neither changes the store. */
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { shellWord } from '../../events/errors/phrases.ts'
import { plural } from '../../events/figures.ts'
import type { LossReport } from '../../store/care/repair/loss-report.ts'
import type { Finding, VerifyReport } from '../../store/care/verify/finding.ts'
import { refuseDatabase, requireStore } from '../existing-store.ts'
import { type GlobalOptions, withGlobals } from '../global-options.ts'
import { type Terminal, terminal } from '../terminal/output.ts'
import { inert } from '../terminal/text.ts'

export function repairCommands(log: Command): void {
  log
    .command('verify')
    .description('check every byte of the store; exits with 1 if anything is wrong')
    .action(withGlobals(verify))
  log
    .command('repair')
    .description('save what is intact in a damaged store into a new one; the damaged one is unchanged')
    .requiredOption('--to <dir>', 'directory of the new store, empty or new')
    .action(withGlobals(repair))
}

const FAILED = 1

/** Checks every byte of a log, wherever it is. */
export async function verifiedLog(globals: GlobalOptions): Promise<VerifyReport> {
  const directory = requireStore(globals)
  const { database, baseDir } = globals
  if (database === undefined) return (await import('../../store/care/verification.ts')).verifyStore(directory)
  const { verifyDatabase } = await import('../../store/postgres/verification.ts')
  return verifyDatabase(database, { baseDir: resolve(baseDir) })
}

async function verify(globals: GlobalOptions): Promise<void> {
  const screen = terminal(globals)
  const report = await verifiedLog(globals)
  if (screen.json) screen.value(report)
  else printReport(screen, globals, report)
  if (!report.ok) process.exitCode = FAILED
}

async function repair(globals: GlobalOptions, { to }: { to: string }): Promise<void> {
  refuseDatabase(globals, 'log repair')
  const directory = requireStore(globals)
  const { repairStore } = await import('../../store/care/repair.ts')
  const { lossLines } = await import('../../store/care/repair/loss-report.ts')
  const screen = terminal(globals)
  screen.progress(`Reading ${inert(globals.baseDir)} ...`)
  const report = await repairStore(directory, resolve(to))
  if (screen.json) return screen.value(report)
  for (const line of lossLines(report)) screen.line(inert(line))
  screen.line(`${screen.style('green', 'saved')}  ${plural(report.kept, 'fact')} in ${inert(to)}`)
  screen.note(inert(nextSteps(globals.baseDir, to, report)))
}

const nextSteps = (baseDir: string, to: string, { lost, quarantined }: LossReport) =>
  (lost.length + quarantined === 0 ? '' : `Full report: ${to}/loss-report.json. `) +
  `${baseDir} was not changed. To continue with the new store, copy ${baseDir}/agents (workspaces and sessions) ` +
  `and ${baseDir}/files.git (the files of agents, turn by turn) into ${to} and use --base-dir ${shellWord(to)}`

function printReport(screen: Terminal, { baseDir, database }: GlobalOptions, report: VerifyReport): void {
  const { ok, facts, streams, blobs, findings, notes } = report
  for (const finding of findings) screen.line(findingLine(screen, finding))
  for (const note of notes) screen.note(inert(note))
  const bodies = plural(blobs, 'long body', 'long bodies')
  const content = `${plural(facts, 'fact')} in ${plural(streams, 'stream')}, ${bodies}`
  if (ok) {
    screen.line(`${screen.style('green', 'sound')}  ${content}`)
    return
  }
  screen.line(
    `${screen.style('red', 'damaged')}  ${plural(findings.length, 'finding')}; readable: ${content}`,
  )
  if (database !== undefined) {
    screen.note(
      'Restore a backup into another database (log restore), or have PostgreSQL recover the one of now.',
    )
    return
  }
  screen.note(
    `Keep a copy of ${baseDir}, then save what is intact into a new store: claude-agents log repair --to DIR`,
  )
}

/** `record    position 5  agent/a  it is missing  (file)` */
function findingLine(screen: Terminal, { kind, position, stream, key, file, problem }: Finding): string {
  const place = position === null ? (key === null ? '' : `key ${key}`) : `position ${position}`
  const where = [place, stream ?? ''].filter((part) => part !== '').join('  ')
  const text = `${where === '' ? '' : `${where}  `}${problem}`
  return `${screen.style('red', kind.padEnd(8))}${inert(text)}  ${screen.style('dim', inert(file))}`
}
