/** `replay --verify`: a replay of the log, held against what was written down while it was lived. */
import { resolve } from 'node:path'
import type { ChangedMachine, Divergence, ReplayReport } from '../history/verify-replay.ts'
import type { Finding } from '../store/care/verify/finding.ts'
import { noteNoStore } from './agent-commands.ts'
import { type GlobalOptions, hasStore } from './global-options.ts'
import { withSession } from './session.ts'
import { mustHaveStore } from './state-commands.ts'
import { cut } from './state-lines.ts'
import { inert, type Terminal, terminal } from './terminal.ts'

const FAILED = 1

/** Errors that say that the log is damaged, some of them without the position. */
const DAMAGE = new Set(['StoreDamaged', 'CorruptRecord', 'SequenceGap', 'TailLoss', 'UnsupportedFormat'])

export async function verifyReplay(globals: GlobalOptions, stream: string | undefined): Promise<void> {
  if (stream === undefined && !hasStore(globals)) return noteNoStore(globals)
  if (stream !== undefined) await mustHaveStore(globals, stream)
  try {
    await withSession(globals, async ({ orchestrator, terminal }) => {
      if (stream !== undefined) await orchestrator.history.stateAt(stream)
      const report = await orchestrator.history.verify(stream === undefined ? {} : { stream })
      if (terminal.json) terminal.value(report)
      else print(terminal, report)
      if (!report.ok) process.exitCode = FAILED
    })
  } catch (error) {
    if (!DAMAGE.has((error as { _tag?: string })._tag ?? '')) throw error
    await printDamage(globals, error)
  }
}

/** LevelDB's files can be damaged so that nothing is read from them: then every byte is looked at, for the positions. */
async function printDamage(globals: GlobalOptions, error: unknown): Promise<void> {
  const { verifyStore } = await import('../store/care/verification.ts')
  const report = await verifyStore(resolve(globals.baseDir)).catch(() => null)
  if (!report || report.findings.length === 0) throw error
  const screen = terminal(globals)
  if (screen.json) screen.value({ ok: false, damage: report.findings })
  else {
    for (const finding of report.findings) screen.line(damageLine(screen, finding))
    screen.note(
      'The log is damaged, so it cannot be replayed. What is whole can be saved: claude-agents log repair --to DIR',
    )
  }
  process.exitCode = FAILED
}

function damageLine(screen: Terminal, { kind, position, stream, problem, file }: Finding): string {
  const where = position === null ? '' : `position ${position}  `
  const text = `${where}${stream === null ? '' : `${stream}  `}${problem}  (${file})`
  return `${screen.style('red', `damaged ${kind}`)}  ${inert(text)}`
}

function print(screen: Terminal, report: ReplayReport): void {
  const { ok, facts, streams, compared, divergences, changed, unknown } = report
  for (const divergence of divergences) screen.line(divergenceLine(screen, divergence))
  for (const machine of changed) screen.note(changedLine(screen, machine))
  if (unknown.length > 0)
    screen.note(`of a kind that is not known here, and not folded: ${unknown.join(', ')}`)
  const { summaries, states, snapshots } = compared
  const held = `held against ${summaries} summaries, ${states} state hashes, ${snapshots} snapshots`
  const word = ok ? screen.style('green', 'the same') : screen.style('red', 'diverges')
  screen.line(`${word}  ${facts} facts in ${streams} streams replayed, ${held}`)
}

const LONGEST = 200
const WHATS = {
  fact: 'a fact that its state does not expect',
  body: 'a long text that is not what was written',
  summary: 'another summary',
  state: 'another state',
  snapshot: 'another state than the snapshot',
} as const satisfies Record<Divergence['what'], string>

function divergenceLine(screen: Terminal, divergence: Divergence): string {
  const { stream, version, position, what, recorded, replayed } = divergence
  const values = cut(`recorded ${JSON.stringify(recorded)}, replayed ${JSON.stringify(replayed)}`, LONGEST)
  const place = `${stream}  version ${version}  position ${position}`
  return `${screen.style('red', 'diverges')}  ${place}  ${WHATS[what]}: ${screen.style('dim', values)}`
}

function changedLine(
  screen: Terminal,
  { kind, recordedBy, now, compared, different, first }: ChangedMachine,
): string {
  const what =
    first === null
      ? 'and comes to the same'
      : `and ${different} come out differently now, first ${first.stream} version ${first.version}`
  return screen.accent(
    'yellow',
    `the machine of "${kind}" was changed: ${compared} records are by ${recordedBy}, it is ${now} now, ${what}`,
  )
}
