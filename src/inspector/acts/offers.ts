/** What can be done about an entry of the inbox, an agent or a run as it is now. Pure, except that an agent's log is read. */
import type { BudgetInfo } from '../../actors/admission/budget-scope.ts'
import type { AgentContext } from '../../actors/agent/state.ts'
import type { PlainState } from '../../actors/engine/fold.ts'
import { agentFacts } from '../../events/agent-facts.ts'
import type { Recorded } from '../../events/envelope.ts'
import { jsonEscape, visible, withoutHidden } from '../../events/hidden-characters.ts'
import type { Json } from '../../events/json.ts'
import type { InboxEntry, InboxKind } from '../../inbox/entry.ts'
import type { EventStore } from '../../store/event-store.ts'
import { isResumable } from '../run.ts'
import { brief } from '../text.ts'
import type { FieldView, OfferView } from './view.ts'

const REASON: FieldView = { name: 'reason', label: 'Reason', kind: 'line', value: '' }

const offer = (
  action: OfferView['action'],
  label: string,
  effect: OfferView['effect'],
  says: string,
  about: OfferView['about'],
  fields: readonly FieldView[] = [],
): OfferView => ({ action, label, effect, says, about, fields })

type About = { readonly entry: string }
type OffersOf = (entry: InboxEntry, about: About) => readonly OfferView[]

const approve = (
  about: About,
  label: string,
  says: string,
  fields: readonly FieldView[] = [],
): OfferView => ({
  ...offer('approve', label, 'costs', says, about, fields),
  key: 'a',
})

const deny = (about: About, says = 'The task ends without an answer.', label = 'Deny'): OfferView => ({
  ...offer('deny', label, 'destroys', says, about, [REASON]),
  key: 'd',
})

const CANCEL_RUN = 'The run ends for good, with all its tasks.'

/** What is offered about an entry of each kind: nothing about a tree that gave up, whose program starts it again. */
const OF_KIND: Readonly<Record<InboxKind, OffersOf>> = {
  supervision: () => [],
  task: (_, about) => [approve(about, 'Approve', 'The task begins, and is paid for.'), deny(about)],
  tool: ({ input }, about) => [
    approve(about, 'Approve', 'The tool is used, and the turn continues.', [
      { name: 'always', label: 'Always allow (a rule, such as Bash(npm test))', kind: 'line', value: '' },
    ]),
    ...edit(input, about),
    deny(about, 'The tool is not used. The agent is told why, and its turn continues.'),
  ],
  question: (entry, about) => [
    ...answer(entry, about),
    deny(about, 'The agent gets no answer. It is told why, and its turn continues.'),
  ],
  budget: ({ input, command }, about) => [
    ...raiseFor(input as { budget?: BudgetInfo } | null, command),
    deny(about),
  ],
  account: (_, about) => [
    approve(about, 'Resume the account', 'Calls of all held tasks begin again.'),
    deny(about),
  ],
  landing: (_, about) => [
    {
      ...offer('land', 'Land again', 'plain', 'The work is merged and checked again as it is now.', about),
      key: 'a',
    },
    deny(about, 'The work stays on the branch of its agent.', 'Give up'),
  ],
  run: ({ run }, about) => [
    ...(run === null ? [] : [{ ...resume(run), key: 'a' as const }]),
    deny(about, CANCEL_RUN, 'Cancel the run'),
  ],
  message: (_, about) => [
    approve(about, 'Let it be read', 'The agent reads the message with its next task.'),
    deny(about, 'The agent never reads the message.'),
  ],
  schedule: (_, about) => [
    {
      ...offer('deny', 'Pause the schedule', 'plain', 'Nothing of it begins until it is resumed.', about),
      key: 'd',
    },
  ],
}

export const offersOfEntry = (entry: InboxEntry): readonly OfferView[] =>
  Object.hasOwn(OF_KIND, entry.kind) ? OF_KIND[entry.kind](entry, { entry: entry.id }) : []

/** In characters. A longer input is edited, and one of longer choices taken, on the command line. */
const LONGEST_EDITED = 20_000
/** In characters, in the form; the entry has all of it. */
const LONGEST_QUESTION = 500

function answer({ choices, question }: InboxEntry, about: About): readonly OfferView[] {
  if ((choices ?? []).join('').length > LONGEST_EDITED) return []
  const text = { name: 'text', label: 'Answer', value: '', required: true } as const
  const shown = choices?.map((value) => ({ value, label: visible(value) }))
  const field: FieldView = shown ? { ...text, kind: 'choice', choices: shown } : { ...text, kind: 'text' }
  const asked = brief(question ?? '', LONGEST_QUESTION)
  const says = `${asked === '' ? '' : `It asks: ${asked} `}The agent gets the answer, and its turn continues.`
  return [{ ...offer('answer', 'Answer', 'costs', says, about, [field]), key: 'e' }]
}

/** The input of a tool call as JSON in which no character is hidden. */
function edit(input: Json, about: About): readonly OfferView[] {
  const text = withoutHidden(JSON.stringify(input, null, 2), jsonEscape)
  if (text.length > LONGEST_EDITED) return []
  const says = 'The tool is used with this input instead, and the turn continues.'
  const field: FieldView = { name: 'input', label: 'Input', kind: 'json', value: text, required: true }
  return [{ ...offer('approve', 'Edit', 'costs', says, about, [field]), key: 'e' }]
}

const resume = (run: string): OfferView =>
  offer(
    'resume',
    'Resume',
    'costs',
    'Steps that were answered are kept; the others are asked and paid for.',
    {
      run,
    },
  )

/** Its fields begin with what lets the task continue. */
function raiseFor(input: { budget?: BudgetInfo } | null, command: string): readonly OfferView[] {
  const { scope, limit } = input?.budget ?? {}
  if (!scope || !limit) return []
  const fitting = (name: string) => new RegExp(`--${name} ([\\d.]+)`).exec(command)?.[1]
  const needed = { usd: fitting('usd') ?? limit.usd, tokens: fitting('tokens') ?? limit.tokens }
  return [{ ...raise(scope, needed), key: 'a' }]
}

type Amounts = Readonly<Record<'usd' | 'tokens', string | number | null>>

function raise({ agent, run }: BudgetInfo['scope'], { usd, tokens }: Amounts): OfferView {
  const amount = (name: string, label: string, value: string | number | null): FieldView => ({
    ...{ name, label, kind: 'amount', value: value === null ? '' : String(value) },
  })
  const about = {
    ...(agent !== undefined && { 'of-agent': agent }),
    ...(run !== undefined && { 'of-run': run }),
  }
  const whose =
    agent !== undefined ? `Agent ${agent}` : run !== undefined ? `Run ${run}` : 'Everything together'
  return offer(
    'raise',
    'Set the budget',
    'costs',
    `${whose} may spend this in all. What fits in begins.`,
    about,
    [
      ...(usd === null && tokens !== null ? [] : [amount('usd', 'Dollars', usd)]),
      ...(tokens === null ? [] : [amount('tokens', 'Tokens', tokens)]),
    ],
  )
}

/**
 * What can be done about an agent or a run.
 *
 * @param isWaiting Whether no process executes the run.
 */
export async function offersOfActor(
  store: EventStore,
  stream: string,
  state: PlainState | undefined,
  isWaiting: (run: string) => Promise<boolean>,
): Promise<readonly OfferView[]> {
  const [kind, id = ''] = stream.split('/')
  if (!state || state.value === 'absent') return []
  if (kind === 'run') return offersOfRun(store, id, String(state.value), isWaiting)
  return kind === 'agent' ? offersOfAgent(store, id, state) : []
}

async function offersOfRun(
  store: EventStore,
  run: string,
  status: string,
  isWaiting: (run: string) => Promise<boolean>,
): Promise<readonly OfferView[]> {
  if (status === 'succeeded' || status === 'cancelled') return []
  const canResume = status === 'running' ? await isWaiting(run) : isResumable(status, await endOf(store, run))
  return [
    ...(canResume ? [resume(run)] : []),
    offer('cancel', 'Cancel the run', 'destroys', CANCEL_RUN, { run }, [REASON]),
    raise({ run }, { usd: null, tokens: null }),
  ]
}

/** The fact with which a run failed; what its calls had cost may be recorded later. */
async function endOf(store: EventStore, run: string): Promise<Recorded | undefined> {
  for await (const recorded of store.read(`run/${run}`, { direction: 'backwards', limit: WINDOW }))
    if (recorded.type === 'RunFailed') return recorded
  return undefined
}

/** More are cancelled one after the other. */
const MOST_TASKS = 5

async function offersOfAgent(
  store: EventStore,
  agent: string,
  state: PlainState,
): Promise<readonly OfferView[]> {
  const { current, queue, files, config, session } = state.context as unknown as AgentContext
  const open = [...(current ? [current] : []), ...queue].slice(0, MOST_TASKS)
  const cancel = open.map(({ taskId: task }) =>
    offer('cancel', `Cancel task ${task}`, 'destroys', 'The task ends without an answer.', { agent, task }, [
      REASON,
    ]),
  )
  const failed = await failedTask(store, agent)
  const isFree = current === null
  return [
    ...cancel,
    ...(failed === null
      ? []
      : [
          offer('retry', 'Retry the last task', 'costs', 'It is asked again as a new task, and paid for.', {
            ...{ agent, task: failed },
          }),
        ]),
    raise({ agent }, { usd: null, tokens: null }),
    ...(isFree && files
      ? [
          offer(
            'undo',
            'Undo the last turn',
            'destroys',
            'The files are as they were before it. Those of now are saved first; the conversation stays.',
            { agent },
          ),
        ]
      : []),
    ...(isFree && config?.workspace
      ? [
          offer(
            'land',
            'Land',
            'plain',
            'Its work is merged into the branch that it began from.',
            { agent },
            [{ name: 'into', label: 'Into another branch', kind: 'line', value: '' }],
          ),
        ]
      : []),
    ...(isFree && (session !== null || state.value === 'error' || state.value === 'stopped')
      ? [
          offer('reset', 'Reset', 'destroys', 'It begins a new conversation, and forgets this one.', {
            agent,
          }),
        ]
      : []),
  ]
}

/** How far back an end is looked for, in facts. */
const WINDOW = 200

/** The last task of an agent, if it has failed or was cancelled. */
async function failedTask(store: EventStore, agent: string): Promise<string | null> {
  for await (const recorded of store.read(`agent/${agent}`, { direction: 'backwards', limit: WINDOW })) {
    const { type, data } = agentFacts.read(recorded)
    if (type === 'CallSucceeded' || type === 'AgentCreated') return null
    if (type === 'TaskFailed' || type === 'TaskCancelled') return data.taskId
  }
  return null
}
