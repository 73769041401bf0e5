/** The end of a simulation: the faults stop, everything comes to rest, and the laws that hold at rest are checked. */
import { ClaudeAgentError } from '../../events/errors/base.ts'
import type { Orchestrator } from '../../orchestrator.ts'
import { checkLog, checkReplay } from '../crash-checks.ts'
import { foretold, isRaced, patternIn } from './nestings.ts'
import { isDecidable, sayYes } from './perform.ts'
import { SENT } from './tally.ts'
import { Violation } from './violation.ts'
import type { World } from './world.ts'

/** Ends the last life of the script, and resumes once more without faults: then nothing may be open any more. */
export async function conclude(world: World): Promise<void> {
  world.calm()
  if (world.life.isClosing) await close(world)
  await world.reopenIfClosed()
  await release(world)
  world.life.checkAtRest('at rest')
  checkBooked(world)
  checkTree(world)
  await close(world)
  await release(world)
  await runAgain(world)
  world.life.checkAtRest('in the last life')
  checkBooked(world)
  checkTasks(world)
  checkCalls(world)
  await checkReplies(world)
  await checkRuns(world)
  await checkTold(world)
  await checkMessages(world)
  await inLife(world, 'compare the mailboxes with the log', (orchestrator) =>
    checkMailboxes(world, orchestrator),
  )
  await checkBudgets(world)
  await inLife(world, 'compare the states with the log', checkReplay)
  await inLife(world, 'verify the log', checkHistory)
  await inLife(
    world,
    'check',
    async (orchestrator) => world.subject.check?.(orchestrator),
    'your own law holds',
  )
  await close(world)
  await checkLog(world.store)
}

/** Closes the process. What it was asked must have settled by then, and nothing may be left that goes on. */
async function close(world: World): Promise<void> {
  const { life } = world
  await world.drive('close', life.close())
  if (life === world.life) await world.reopenIfClosed()
}

/** Lets everything that is held go on, until nothing waits. */
async function release(world: World): Promise<void> {
  for (let round = 0; round < 50; round++) {
    await world.rest()
    let isHeld = false
    await inLife(world, 'release what is held', async (orchestrator) => {
      const held = await orchestrator.held.list()
      isHeld = held.length > 0
      // What was asked before may end it, or remove its agent, at the same time.
      for (const entry of (await orchestrator.inbox.list()).filter(isDecidable))
        await sayYes(orchestrator, entry).catch(onlyExpected)
      for (const { scope } of await orchestrator.budgets.list())
        await orchestrator.budgets.set({ usd: null, tokens: null }, scope).catch(onlyExpected)
      await orchestrator.accounts.resume()
    })
    // An agent that its supervisor does not run begins nothing in this life.
    if (!isHeld || (world.life.hasTree && round > 0)) return
  }
  throw new Violation('what is held goes on when there is room', 'some tasks stay held')
}

function onlyExpected(error: unknown): void {
  if (!(error instanceof ClaudeAgentError)) throw error
}

/** Does something with the living orchestrator, and waits for its end. */
async function inLife(
  world: World,
  what: string,
  work: (orchestrator: Orchestrator) => Promise<unknown>,
  law = 'the log and the states agree',
): Promise<void> {
  const { orchestrator } = world.life
  if (!orchestrator) return
  let failure: unknown
  const working = work(orchestrator).catch((error: unknown) => {
    failure = error
  })
  await world.drive(what, working)
  if (failure instanceof Violation) throw failure
  if (failure !== undefined)
    throw new Violation(law, `${what}: ${(failure as Error).message}`, {
      cause: failure,
    })
}

/** Runs that have not ended are run again, by the same id. */
async function runAgain(world: World): Promise<void> {
  for (const [id, { pattern, input }] of world.runs) {
    const ended = world.laws.runs.get(id)?.end
    if (ended !== undefined) continue
    const run = async (orchestrator: Orchestrator) => {
      await orchestrator
        .run(patternIn(pattern, world.subject.workflows), input, { id })
        .then(undefined, () => {})
    }
    void world.life.ask(`run ${id} to its end`, run).catch(() => {})
  }
  await release(world)
}

/** The log says of every call how it ended. */
function checkCalls({ laws }: World): void {
  for (const [callId, agent] of laws.open)
    throw new Violation('every call has an outcome', `the call ${callId} of ${agent}`)
}

/** Every accepted task has an end. */
function checkTasks({ laws }: World): void {
  for (const { tasks } of laws.agents.values())
    for (const { agent, taskId, end, hold } of tasks.values())
      if (end === null)
        throw new Violation(
          'every task ends',
          `task ${taskId} of ${agent} is open${hold ? `, held by ${hold}` : ''}`,
        )
}

/** What the runner told that a call cost is in the log, once. */
function checkBooked({ laws, calls }: World): void {
  for (const { call, toldUsd } of calls.all.values()) {
    if (toldUsd === null) continue
    const booked = laws.booked.get(call.callId)
    // An agent that was halted leaves its call to the next life.
    if (laws.task(call.agent, call.taskId)?.end === null) continue
    if (booked !== toldUsd)
      throw new Violation(
        'what is booked is what was reported',
        `the call for ${call.taskId} of ${call.agent} cost ${toldUsd}, and ${booked ?? 'nothing'} is booked`,
      )
  }
}

/** A supervisor's list of its children is true, and nothing runs without its supervisor. */
function checkTree({ life }: World): void {
  const { members, orchestrator } = life
  if (!life.hasTree || !orchestrator) return
  const [doubled] = members.doubled
  if (doubled !== undefined) throw new Violation('a child runs once', `${doubled} was started while it ran`)
  const listed = new Set<string>()
  for (const child of childrenOf(orchestrator)) {
    listed.add(child.id)
    if (child.status === 'starting' || child.status === 'restarting')
      throw new Violation('every child comes to rest', `${child.id} is ${child.status}`)
    if (child.isMember && members.running.has(child.id) !== (child.status === 'running'))
      throw new Violation('a supervisor knows its children', `${child.id} is listed as ${child.status}`)
  }
  for (const id of members.running.keys())
    if (!listed.has(id)) throw new Violation('nothing runs without its supervisor', id)
}

function childrenOf(orchestrator: Orchestrator) {
  try {
    const children = orchestrator.supervisor('top').children()
    return children.map(({ id, status }) => ({ id, status, isMember: id.startsWith('m') }))
  } catch {
    return []
  }
}

/** Everybody who asked for a task got the end that the log has of it. */
async function checkReplies({ laws, received, store }: World): Promise<void> {
  const texts = new Map<string, string>()
  for await (const { stream, type, data } of store.readAll())
    if (type === 'CallSucceeded') texts.set(`${stream} ${data.taskId}`, bodyOf(data.text))
  for (const { agent, task, text, tag } of received) {
    const end = laws.task(agent, task)?.end
    const named = `task ${task} of ${agent}`
    if (text !== null && text !== texts.get(`agent/${agent} ${task}`))
      throw new Violation('replies are what the log has', `${named} got ${JSON.stringify(text)}`)
    if (text === null && end === undefined) continue
    if (text === null && tag !== null && !isAboutAsking(tag) && tag !== tagOf(end))
      throw new Violation('errors are what the log has', `${named} got ${tag}, and ended with ${tagOf(end)}`)
  }
}

/** Errors that say that nothing was asked, or that the answer comes in another life. */
const ABOUT_ASKING = new Set([
  'ClosedError',
  'StoreReadOnly',
  'TaskConflictError',
  'TaskNotFoundError',
  'AgentNotFoundError',
  'TaskNotFoundError',
  'AgentStoppedError',
  'AgentDownError',
  'MailboxFullError',
  'SupervisionFailedError',
  'StoreLockLost',
])
const isAboutAsking = (tag: string) => ABOUT_ASKING.has(tag)

function tagOf(end: { readonly type: string; readonly data: object } | null | undefined): string | undefined {
  if (end?.type === 'TaskCancelled') return 'TaskCancelledError'
  if (end?.type === 'TaskFailed') return (end.data as { error: { tag: string } }).error.tag
  return end?.type
}

const bodyOf = (body: unknown): string => (typeof body === 'string' ? body : '')

/** A run that succeeded has all its parts, and the output that it would have had without any fault. */
async function checkRuns({ laws, runs, subject, store }: World): Promise<void> {
  for (const [id, { pattern, input }] of runs) {
    const run = laws.runs.get(id)
    if (run?.end !== 'succeeded' || isRaced(pattern)) continue
    for (const { agent, taskId, state } of run.steps.values())
      if (state !== 'succeeded' && state !== 'carried' && state !== 'abandoned')
        throw new Violation(
          'a run does not succeed without a part',
          `${id}: the step ${taskId} of ${agent} is ${state}`,
        )
    const expected = await foretold(patternIn(pattern, subject.workflows), input, subject.answer)
    for await (const { type, data } of store.read(`run/${id}`))
      if (type === 'RunSucceeded' && data.finalOutput !== expected)
        throw new Violation(
          'a run has the result that it has without faults',
          `${id}: ${JSON.stringify(data.finalOutput)} and not ${JSON.stringify(expected)}`,
        )
  }
}

/** A command that was acknowledged is in the log once, and one that was refused is not. */
async function checkTold({ told, store }: World): Promise<void> {
  const added = new Map<number, number>()
  for await (const { type, data } of store.readAll())
    if (type === 'Added') added.set(Number(data.number), (added.get(Number(data.number)) ?? 0) + 1)
  for (const [number, { actor, isAcknowledged }] of told) {
    if (!actor.startsWith('tally') || isAcknowledged === null) continue
    const times = added.get(number) ?? 0
    if (isAcknowledged ? times === 0 : times > 0)
      throw new Violation(
        'a command is in the log exactly if it was acknowledged',
        `${number} was ${isAcknowledged ? 'acknowledged' : 'refused'} and is there ${times} times`,
      )
  }
}

/** A message, and a write of a note, that was acknowledged is in the log once. */
async function checkMessages({ sent, written, store }: World): Promise<void> {
  const times = new Map<string, number>()
  const count = (place: string) => times.set(place, (times.get(place) ?? 0) + 1)
  for await (const { stream, version, type, data } of store.readAll()) {
    if (type === 'MessageReceived') count(`${stream.slice('agent/'.length)} ${data.messageId}`)
    if (type === 'MessagePublished') count(`${stream} ${data.messageId}`)
    if (type === 'Added' && Number(data.number) > SENT) count(`${stream} m${Number(data.number) - SENT}`)
    if (type === 'NoteWritten') count(`${stream} ${data.text} at ${version}`)
  }
  const found = (place: string, what: string, isAcknowledged: boolean) => {
    const there = times.get(place) ?? 0
    if (there > 1 || (isAcknowledged && there === 0))
      throw new Violation(`${what} that was acknowledged is in the log once`, `${place}: ${there} times`)
  }
  for (const [id, { to, isAcknowledged }] of sent)
    if (!to.includes('/') || /^(tally|topic)\//.test(to)) found(`${to} ${id}`, 'a message', isAcknowledged)
  for (const { note, write, version } of written)
    found(`notes/${note} write ${write} at ${version}`, 'a write', true)
}

/** At rest, what no answered turn has read is in the mailbox, or belongs to a task. */
async function checkMailboxes({ laws }: World, orchestrator: Orchestrator): Promise<void> {
  for (const { id } of await orchestrator.agents()) {
    const { unread = [], current, queue } = (await orchestrator.agent(id)).snapshot.context
    const tasks = [...queue, ...(current ? [current] : [])]
    const there = [...unread, ...tasks.flatMap(({ messages = [], news = [] }) => [...messages, ...news])]
    const ids = there.map(({ messageId }) => messageId).sort()
    const left = [...laws.messages.left(id)].sort()
    if (ids.join() !== left.join())
      throw new Violation(
        'no message is lost',
        `${id} has ${ids.join(' ')}, and should have ${left.join(' ')}`,
      )
  }
}

/** At rest nothing is reserved. */
async function checkBudgets({ laws }: World): Promise<void> {
  for (const [stream, { reserved }] of laws.budgets)
    for (const { taskId, agent } of reserved.values())
      throw new Violation('every reservation is settled', `${taskId} of ${agent} in ${stream}`)
}

async function checkHistory(orchestrator: Orchestrator): Promise<void> {
  const { divergences } = await orchestrator.history.verify()
  if (divergences.length > 0) throw new Error(JSON.stringify(divergences[0]))
}
