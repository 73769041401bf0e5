/** `inbox`: everything that waits for a person, and the person's decisions. */
import type { Command } from 'commander'
import type { Reply } from '../../actors/agent/tasks/ask.ts'
import { InboxEntryNotFoundError } from '../../events/errors/hold.ts'
import { defined, type JsonObject } from '../../events/json.ts'
import { continuesTurn, type InboxEntry, placeOfEntry } from '../../inbox/entry.ts'
import { userName } from '../../inbox/user-name.ts'
import { jsonObject } from '../arguments.ts'
import type { GlobalOptions } from '../global-options.ts'
import { withGlobals } from '../global-options.ts'
import { replyOf, resumeHeld } from '../held/commands.ts'
import { isConversation, readStore, type Session, withStore } from '../session.ts'
import { list } from '../terminal/list.ts'
import { hasKeys } from '../terminal/screen.ts'
import { inert } from '../terminal/text.ts'
import { NOTHING_WAITS, shownEntries } from './entry-lines.ts'

export function inboxCommands(inbox: Command): void {
  inbox
    .description(
      'list what waits for you: tasks and tool calls to approve, questions, messages, work that was set aside, runs; the subcommands decide it',
    )
    .option('--watch', 'stay, and print what arrives (Ctrl-C ends it)')
    .action(withGlobals(show))
  inbox
    .command('approve <id>')
    .description('say yes: a task begins, a tool is used, calls of an account begin again')
    .option('--input <json>', 'of a tool call: use it with this input instead', jsonObject)
    .option('--always <rule>', 'of a tool call: do not ask this agent again about calls that match the rule')
    .option('--by <name>', 'who approves it (default: your user name)')
    .option('--no-wait', 'only approve it, without waiting for the answer; recover resumes it')
    .action(withGlobals(approve))
  inbox
    .command('deny <id>')
    .description('say no: a tool is not used, a task is rejected, a run is cancelled, work stays where it is')
    .option('--by <name>', 'who denies it (default: your user name)')
    .option('--reason <text>', 'reason to give; of a tool call or a question, the model is told')
    .option('--no-wait', 'do not wait for the answer of a task that continues; recover resumes it')
    .action(withGlobals(deny))
  inbox
    .command('answer <id> <text>')
    .description('answer a question')
    .option('--by <name>', 'who answers (default: your user name)')
    .option('--no-wait', 'only answer, without waiting for the answer of the task; recover resumes it')
    .action(withGlobals(answer))
}

async function show(globals: GlobalOptions, { watch = false }: { readonly watch?: boolean }): Promise<void> {
  if (takesKeys(globals))
    return (await import('./keys.ts')).decideByKeys(globals, watch, { approve, deny, answer })
  if (watch) return (await import('./watch.ts')).watchInbox(globals)
  await readStore(globals, async ({ orchestrator, terminal }) => {
    const entries = await orchestrator.inbox.list()
    const shown = terminal.json ? [] : await shownEntries(terminal, entries, globals.baseDir)
    list(terminal, entries, NOTHING_WAITS, () =>
      shown.map((lines, at) => (at === 0 ? '' : '\n') + lines.join('\n')),
    )
  })
}

/** Whether a person is there to press keys. A line of an interactive session decides by its own commands. */
const takesKeys = (globals: GlobalOptions) =>
  hasKeys() && !globals.json && globals.database === undefined && !isConversation()

type Decision = 'approved' | 'denied' | 'answered'

interface By {
  readonly by?: string
  readonly wait: boolean
}

interface ApproveOptions extends By {
  readonly input?: JsonObject
  readonly always?: string
}

function approve(
  globals: GlobalOptions,
  id: string,
  { wait, by = userName(), input, always }: ApproveOptions,
) {
  const work = async (session: Session) => {
    const { orchestrator } = session
    const task = await taskOf(session, id)
    const entry = await orchestrator.inbox.approve(id, defined({ by, input, always }))
    await say(session, entry, 'approved', wait, task)
  }
  return decide(globals, id, work, wait ? 'call' : 'change')
}

function deny(
  globals: GlobalOptions,
  id: string,
  { wait, by = userName(), reason }: By & { readonly reason?: string },
) {
  const work = async (session: Session) => {
    const task = await taskOf(session, id)
    const entry = await session.orchestrator.inbox.deny(id, defined({ by, reason }))
    await say(session, entry, 'denied', wait, task)
  }
  return decide(globals, id, work, wait && continuesTurn(id) ? 'call' : 'change')
}

function answer(globals: GlobalOptions, id: string, text: string, { wait, by = userName() }: By) {
  const work = async (session: Session) => {
    const task = await taskOf(session, id)
    const entry = await session.orchestrator.inbox.answer(id, text, defined({ by }))
    await say(session, entry, 'answered', wait, task)
  }
  return decide(globals, id, work, wait ? 'call' : 'change')
}

/** The task of an entry. That of a tool call is what its agent works on. */
async function taskOf({ orchestrator }: Session, id: string): Promise<string> {
  const { of, taskId } = placeOfEntry(id)
  if (!continuesTurn(id) || !(await orchestrator.agents()).some((agent) => agent.id === of)) return taskId
  return (await orchestrator.agent(of)).snapshot.context.current?.taskId ?? taskId
}

const decide = (
  globals: GlobalOptions,
  id: string,
  work: (session: Session) => Promise<void>,
  purpose: 'call' | 'change',
) => withStore(globals, work, () => new InboxEntryNotFoundError({ id, nearest: null }), purpose)

/** Says what was decided, and waits for the answer of a task that continues in this process. */
async function say(
  session: Session,
  entry: InboxEntry,
  decision: Decision,
  waits: boolean,
  taskId: string,
): Promise<void> {
  const { terminal, owner } = session
  const { id, agent, run, kind } = entry
  const continues = decision !== 'denied' || continuesTurn(id)
  const isMine = owner === null && continues && agent !== null
  if (!terminal.json) terminal.note(`${decision} ${id}`)
  if (run !== null && continues && owner === null)
    terminal.note(`This task is a step of a run: claude-agents workflow resume ${run}`)
  let reply: Reply | undefined
  if (isMine && waits && kind === 'account') await resumeAccount(session)
  else if (isMine && waits) reply = await replyOf(session, { agent, taskId })
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
