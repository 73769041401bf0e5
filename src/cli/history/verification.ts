/** `replay --verify`: replays the log and compares it with what was recorded at the time. */

import { plural } from '../../events/figures.ts'
import { defined } from '../../events/json.ts'
import type { ChangedMachine, Divergence, ReplayReport } from '../../history/verify-replay.ts'
import type { Finding } from '../../store/care/verify/finding.ts'
import { requireStore } from '../existing-store.ts'
import type { GlobalOptions } from '../global-options.ts'
import { verifiedLog } from '../log/repair.ts'
import { readStore, type Session } from '../session.ts'
import { type Terminal, terminal } from '../terminal/output.ts'
import { cut, inert } from '../terminal/text.ts'

const FAILED = 1

/** Errors that report a damaged log, some of them without the position. */
const DAMAGE = new Set(['StoreDamaged', 'CorruptRecord', 'SequenceGap', 'TailLoss', 'UnsupportedFormat'])

export async function verifyHistory(globals: GlobalOptions, stream: string | undefined): Promise<void> {
  const verify = async ({ orchestrator, terminal }: Session) => {
    if (stream !== undefined) await orchestrator.history.stateAt(stream)
    const report = await orchestrator.history.verify(defined({ stream }))
    if (terminal.json) terminal.value(report)
    else print(terminal, report)
    if (!report.ok) process.exitCode = FAILED
  }
  requireStore(globals)
  try {
    await readStore(globals, verify)
  } catch (error) {
    if (!DAMAGE.has((error as { _tag?: string })._tag ?? '')) throw error
    await printDamage(globals, error)
  }
}

/** Damaged files of LevelDB may not be readable at all: then every byte is checked, to find the positions. */
async function printDamage(globals: GlobalOptions, error: unknown): Promise<void> {
  const report = await verifiedLog(globals).catch(() => null)
  if (!report || report.findings.length === 0) throw error
  const screen = terminal(globals)
  if (screen.json) screen.value({ ok: false, damage: report.findings })
  else {
    for (const finding of report.findings) screen.line(damageLine(screen, finding))
    screen.note(
      'The log is damaged and cannot be replayed. Save what is intact: claude-agents log repair --to DIR',
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
  if (unknown.length > 0) screen.note(`not replayed, as their kind is unknown here: ${unknown.join(', ')}`)
  const { summaries, states, snapshots } = compared
  const replayed = `replayed ${plural(facts, 'fact')} in ${plural(streams, 'stream')}`
  const against = [
    plural(summaries, 'summary', 'summaries'),
    plural(states, 'state hash', 'state hashes'),
    plural(snapshots, 'snapshot'),
  ]
  const word = ok ? screen.style('green', 'identical') : screen.style('red', 'diverges')
  screen.line(`${word}  ${replayed}, compared with ${against.join(', ')}`)
}

const LONGEST = 200
const WHATS = {
  fact: 'the state does not expect this fact',
  body: 'a long text differs from what was written',
  summary: 'the summary differs',
  state: 'the state differs',
  snapshot: 'the state differs from the snapshot',
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
      ? 'with the same results'
      : `and ${different} of them differ now, first ${first.stream} version ${first.version}`
  return screen.accent(
    'yellow',
    `the machine of "${kind}" has changed: ${plural(compared, 'record')} by ${recordedBy}, now ${now}, ${what}`,
  )
}
