/** `log verify | repair`: what is wrong with a store, and what can be saved of it. Neither changes the store. */
import { resolve } from 'node:path'
import type { LossReport } from '../store/care/repair/loss-report.ts'
import type { Finding, VerifyReport } from '../store/care/verify/finding.ts'
import { noteNoStore } from './agent-commands.ts'
import { type GlobalOptions, hasStore } from './global-options.ts'
import { inert, type Terminal, terminal } from './terminal.ts'

const FAILED = 1

export async function verify(globals: GlobalOptions): Promise<void> {
  if (!hasStore(globals)) return noteNoStore(globals)
  const { verifyStore } = await import('../store/care/verification.ts')
  const screen = terminal(globals)
  const report = await verifyStore(resolve(globals.baseDir))
  if (screen.json) screen.value(report)
  else printReport(screen, globals.baseDir, report)
  if (!report.ok) process.exitCode = FAILED
}

export async function repair(globals: GlobalOptions, { to }: { to: string }): Promise<void> {
  if (!hasStore(globals)) return noteNoStore(globals)
  const { lossLines } = await import('../store/care/repair/loss-report.ts')
  const { repairStore } = await import('../store/care/repair.ts')
  const screen = terminal(globals)
  screen.progress(`Reading ${inert(globals.baseDir)} ...`)
  const report = await repairStore(resolve(globals.baseDir), resolve(to))
  if (screen.json) {
    screen.value(report)
    return
  }
  for (const line of lossLines(report)) screen.line(inert(line))
  screen.line(`${screen.style('green', 'saved')}  ${counted(report.kept, 'fact')} in ${inert(to)}`)
  screen.note(inert(nextSteps(globals.baseDir, to, report)))
}

const nextSteps = (baseDir: string, to: string, { lost, quarantined }: LossReport) =>
  (lost.length + quarantined === 0 ? '' : `The whole account: ${to}/loss-report.json. `) +
  `${baseDir} was not changed. To go on with what was saved, copy ${baseDir}/agents into ${to} (workspaces and ` +
  `sessions) and use --base-dir ${to}`

function printReport(screen: Terminal, baseDir: string, report: VerifyReport): void {
  const { ok, facts, streams, blobs, findings, notes } = report
  for (const finding of findings) screen.line(findingLine(screen, finding))
  for (const note of notes) screen.note(inert(note))
  const content = `${counted(facts, 'fact')} in ${counted(streams, 'stream')}, ${counted(blobs, 'long body', 'long bodies')}`
  if (ok) {
    screen.line(`${screen.style('green', 'sound')}  ${content}`)
    return
  }
  screen.line(
    `${screen.style('red', 'damaged')}  ${counted(findings.length, 'finding')}; can be read: ${content}`,
  )
  screen.note(
    `Keep a copy of ${baseDir}, then save what is whole into a new store: claude-agents log repair --to DIR`,
  )
}

/** `record    position 5  agent/a  it is missing  (file)` */
function findingLine(screen: Terminal, { kind, position, stream, key, file, problem }: Finding): string {
  const place = position === null ? (key === null ? '' : `key ${key}`) : `position ${position}`
  const where = [place, stream ?? ''].filter((part) => part !== '').join('  ')
  const text = `${where === '' ? '' : `${where}  `}${problem}`
  return `${screen.style('red', kind.padEnd(8))}${inert(text)}  ${screen.style('dim', inert(file))}`
}

const counted = (count: number, one: string, many = `${one}s`) => `${count} ${count === 1 ? one : many}`
