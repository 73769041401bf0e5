/** `inbox`: everything that waits for a person, and the person's decisions. */
import type { Command } from 'commander'
import type { Reply } from '../../actors/agent/tasks/handle.ts'
import { InboxEntryNotFoundError } from '../../events/errors/hold.ts'
import { defined } from '../../events/json.ts'
import { type InboxEntry, placeOfEntry } from '../../inbox/entry.ts'
import { userName } from '../../inbox/user-name.ts'
import type { GlobalOptions } from '../global-options.ts'
import { withGlobals } from '../global-options.ts'
import { replyOf, resumeHeld } from '../held/commands.ts'
import { isConversation, readStore, type Session, withStore } from '../session.ts'
import { list } from '../terminal/list.ts'
import { hasKeys } from '../terminal/screen.ts'
import { inert } from '../terminal/text.ts'
import { NOTHING_WAITS, shownLines } from './entry-lines.ts'

export function inboxCommands(inbox: Command): void {
  inbox
    .description(
      'list what waits for you: held tasks, work that was set aside, runs; the subcommands decide it',
    )
    .option('--watch', 'stay, and print what arrives (Ctrl-C ends it)')
    .action(withGlobals(show))
  inbox
    .command('approve <id>')
    .description('say yes: a task begins, calls of an account begin again')
    .option('--by <name>', 'who approves it (default: your user name)')
    .option('--no-wait', 'only approve it, without waiting for the answer; recover resumes it')
    .action(withGlobals(approve))
  inbox
    .command('deny <id>')
    .description('say no: a task is rejected, a run is cancelled, work stays where it is')
    .option('--by <name>', 'who denies it (default: your user name)')
    .option('--reason <text>', 'reason to give')
    .action(withGlobals(deny))
  inbox
    .command('answer <id> <text>')
    .description('answer a question')
    .option('--by <name>', 'who answers (default: your user name)')
    .action(withGlobals(answer))
}

async function show(globals: GlobalOptions, { watch = false }: { readonly watch?: boolean }): Promise<void> {
  if (takesKeys(globals))
    return (await import('./keys.ts')).decideByKeys(globals, watch, { approve, deny, answer })
  if (watch) return (await import('./watch.ts')).watchInbox(globals)
  await readStore(globals, async ({ orchestrator, terminal }) =>
    list(terminal, await orchestrator.inbox.list(), NOTHING_WAITS, (entries) =>
      entries.map((entry, at) => (at === 0 ? '' : '\n') + shownLines(terminal, entry).join('\n')),
    ),
  )
}

/** Whether a person is there to press keys. A line of an interactive session decides by its own commands. */
const takesKeys = (globals: GlobalOptions) =>
  hasKeys() && !globals.json && globals.database === undefined && !isConversation()

type Decision = 'approved' | 'denied' | 'answered'

interface By {
  readonly by?: string
}

function approve(
  globals: GlobalOptions,
  id: string,
  { wait, by = userName() }: By & { readonly wait: boolean },
) {
  const work = async (session: Session) => {
    const { orchestrator } = session
    const entry = await orchestrator.inbox.approve(id, defined({ by }))
    await say(session, entry, 'approved', wait)
  }
  return decide(globals, id, work, wait ? 'call' : 'change')
}

function deny(
  globals: GlobalOptions,
  id: string,
  { by = userName(), reason }: By & { readonly reason?: string },
) {
  const work = async (session: Session) => {
    const entry = await session.orchestrator.inbox.deny(id, defined({ by, reason }))
    await say(session, entry, 'denied', false)
  }
  return decide(globals, id, work, 'change')
}

function answer(globals: GlobalOptions, id: string, text: string, { by = userName() }: By) {
  const work = async (session: Session) => {
    const entry = await session.orchestrator.inbox.answer(id, text, defined({ by }))
    await say(session, entry, 'answered', true)
  }
  return decide(globals, id, work, 'call')
}

const decide = (
  globals: GlobalOptions,
  id: string,
  work: (session: Session) => Promise<void>,
  purpose: 'call' | 'change',
) => withStore(globals, work, () => new InboxEntryNotFoundError({ id, nearest: null }), purpose)

/** Says what was decided, and waits for the answer of a task that continues in this process. */
async function say(session: Session, entry: InboxEntry, decision: Decision, waits: boolean): Promise<void> {
  const { terminal, owner } = session
  const { id, agent, run, kind } = entry
  const isMine = owner === null && decision !== 'denied' && agent !== null
  if (!terminal.json) terminal.note(`${decision} ${id}`)
  if (run !== null && decision !== 'denied' && owner === null)
    terminal.note(`This task is a step of a run: claude-agents workflow resume ${run}`)
  let reply: Reply | undefined
  if (isMine && waits && kind === 'account') await resumeAccount(session)
  else if (isMine && waits) reply = await replyOf(session, { agent, taskId: placeOfEntry(id).taskId })
  else if (isMine) terminal.note('It begins when a process works on it: claude-agents recover')
  if (terminal.json) terminal.value(defined({ id, decision, reply }))
  else if (reply) terminal.line(inert(reply.text))
}

async function resumeAccount(session: Session): Promise<void> {
  const held = await session.orchestrator.held.list()
  await resumeHeld(
    session,
    held.filter(({ reason }) => reason === 'account'),
  )
}
