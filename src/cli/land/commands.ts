/** `land`: queues the work of agents for a branch, and watches it until it has landed or was set aside. */
import { randomUUID } from 'node:crypto'
import { type Command, Option } from 'commander'
import type { Rejection } from '../../actors/agent/tasks/held.ts'
import { InvalidInputError } from '../../events/errors/usage.ts'
import { LandingNotFoundError } from '../../events/errors/workspace.ts'
import { defined } from '../../events/json.ts'
import type { LandingEntry, LandOptions } from '../../landing/landings.ts'
import { requireAgents } from '../existing-store.ts'
import { type GlobalOptions, withGlobals } from '../global-options.ts'
import { userName } from '../held/commands.ts'
import { readStore, type Session, withSession, withStore } from '../session.ts'
import { list } from '../terminal/list.ts'
import type { Terminal } from '../terminal/output.ts'
import { asTyped } from '../terminal/own-name.ts'
import { table } from '../terminal/table.ts'
import { inert } from '../terminal/text.ts'

export function landCommand(command: Command): void {
  command
    .argument('[agent-or-run...]', 'whose work is to land, in this order')
    .option('--into <branch>', 'the branch (default: the one that the agent began from, or the current one)')
    .option('--gate <command>', 'what has to succeed on the merged files; a shell runs it as you')
    .option('--squash', 'make one commit of the work of each agent')
    .addOption(
      new Option('--status', 'only list what is queued, and what has ended lately').conflicts(['cancel']),
    )
    .option('--cancel <entry>', 'only take this entry out of the queue')
    .option('--by <name>', 'who cancels it (default: your user name)')
    .option('--reason <text>', 'why it is cancelled')
    .action(withGlobals(land))
}

interface LandWords extends Pick<LandOptions, 'into' | 'gate' | 'squash'> {
  readonly status?: boolean
  readonly cancel?: string
  readonly by?: string
  readonly reason?: string
}

function land(globals: GlobalOptions, names: readonly string[], words: LandWords): Promise<void> {
  const { status, cancel, by, reason, ...options } = words
  if (cancel === undefined && (by ?? reason) !== undefined)
    throw new InvalidInputError({
      what: by === undefined ? '--reason' : '--by',
      problem: 'only --cancel takes it',
    })
  if (status || cancel !== undefined) {
    if (names.length > 0)
      throw new InvalidInputError({
        what: status ? '--status' : '--cancel',
        problem: 'nothing is queued by it, so it takes no agent and no run',
      })
    return status
      ? show(globals)
      : cancelled(globals, cancel ?? '', defined({ by: by ?? userName(), reason }))
  }
  const [first] = names
  if (first === undefined)
    throw new InvalidInputError({
      what: 'What is to land',
      problem: 'no agent and no run is named',
      hint: 'Name some: claude-agents land AGENT... To see the queue: claude-agents land --status',
    })
  requireAgents(globals, first)
  return withSession(globals, (session) => landed(session, names, options))
}

function show(globals: GlobalOptions) {
  return readStore(globals, async ({ orchestrator, terminal }) =>
    list(terminal, await orchestrator.landings.list(), 'Nothing is queued.', (entries) =>
      rows(terminal, entries),
    ),
  )
}

function cancelled(globals: GlobalOptions, entry: string, decision: Rejection) {
  const work = async ({ orchestrator, terminal }: Session) =>
    print(terminal, await orchestrator.landings.cancel(entry, decision))
  return withStore(globals, work, () => new LandingNotFoundError({ entry, nearest: null }), 'change')
}

/** Queues the work, and prints a line for an entry whenever it changes, also if another owner has to finish it. */
async function landed(session: Session, names: readonly string[], options: LandOptions): Promise<void> {
  const { terminal, signal } = session
  // Queued once, however often it is asked for.
  const request = { ...defined({ ...options }), requestId: randomUUID() }
  const printed = new Map<string, string>()
  /** What has not changed is said once, such as the command that takes over the work of several. */
  const reasons = new Set<string | null>()
  const tell = (entry: LandingEntry) => {
    const text = JSON.stringify(entry)
    if (printed.get(entry.entry) === text) return
    printed.set(entry.entry, text)
    const { status, reason } = entry
    print(terminal, entry, status !== 'set-aside' && reasons.has(reason))
    reasons.add(reason)
  }
  const interrupted = new Promise<null>((resolve) => {
    signal.addEventListener('abort', () => resolve(null), { once: true })
    if (signal.aborted) resolve(null)
  })
  for (let at = session; ; ) {
    const ends = watched(at, names, request, tell)
    ends.catch(() => {})
    try {
      const ended = await Promise.race([ends, interrupted])
      if (ended === null) return noteKept(at)
      if (ended.some(({ status }) => status === 'set-aside')) process.exitCode ??= 1
      return
    } catch (error) {
      const next = await at.renewed()
      if (next === at) throw error
      at = next
    }
  }
}

/** Resolves with the entries once all of them have ended. */
async function watched(
  { orchestrator: { landings } }: Session,
  names: readonly string[],
  request: LandOptions,
  tell: (entry: LandingEntry) => void,
): Promise<readonly LandingEntry[]> {
  // Those that change before it is known which of them are ours.
  const early: LandingEntry[] = []
  let own: ReadonlySet<string> | undefined
  const changes = landings.changes().subscribe({
    next: (entry) => (own ? own.has(entry.entry) && tell(entry) : early.push(entry)),
    // What waits for their ends says so as well.
    error: () => {},
  })
  try {
    const entries = await landings.land(names, request)
    const known = new Set(entries.map(({ entry }) => entry))
    own = known
    const seen = new Set(early.map(({ entry }) => entry))
    for (const entry of [...early, ...entries.filter((one) => !seen.has(one.entry))])
      if (known.has(entry.entry)) tell(entry)
    const ended = await Promise.all([...known].map((entry) => landings.settled(entry)))
    for (const entry of ended) tell(entry)
    return ended
  } finally {
    changes.unsubscribe()
  }
}

function noteKept({ terminal, owner }: Session): void {
  const next =
    owner === null
      ? 'It resumes when a process works on it: claude-agents serve.'
      : `Process ${owner} works on it.`
  terminal.note(`The queue stays as it is. ${next} To see it: claude-agents land --status`)
}

function print(terminal: Terminal, entry: LandingEntry, isKnown = false): void {
  if (terminal.json) return void terminal.value(entry)
  const { entry: name, status, target, commit, reason } = entry
  // A reason says where it is, if it is not on the target itself.
  const on = reason === null ? ` on ${target}` : ''
  const where = status === 'landed' ? `${on}${commit === null ? '' : ` as ${commit.slice(0, 12)}`}` : ''
  terminal.line(`${name}  ${coloured(terminal, status)}${inert(where)}`)
  if (reason === null || isKnown) return
  for (const line of reason.split('\n')) terminal.line(`  ${inert(asTyped(line))}`)
}

const COLOURS = { landed: 'green', 'set-aside': 'red', mending: 'yellow', cancelled: 'yellow' } as const

function coloured(terminal: Terminal, status: LandingEntry['status']): string {
  return status in COLOURS ? terminal.style(COLOURS[status as keyof typeof COLOURS], status) : status
}

function rows(terminal: Terminal, entries: readonly LandingEntry[]): readonly string[] {
  const columns = [
    { head: 'ENTRY' },
    { head: 'AGENT' },
    { head: 'STATUS' },
    { head: 'INTO' },
    { head: 'REASON' },
  ]
  return table(
    terminal,
    columns,
    entries.map(({ entry, agent, status, target, reason }) => [
      entry,
      agent,
      status,
      inert(target),
      inert(asTyped(reason?.split('\n', 1)[0] ?? '')),
    ]),
  )
}
