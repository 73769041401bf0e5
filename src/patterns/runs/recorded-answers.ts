/** The answers of a run, read from the streams of the agents that gave them: its own facts only name those. */
import { recordedTask } from '../../actors/agent/tasks/known-tasks.ts'
import { agentFacts } from '../../events/agent-facts.ts'
import type { Recorded } from '../../events/envelope.ts'
import { streamName } from '../../events/ids.ts'
import type { JsonObject } from '../../events/json.ts'
import type { Body } from '../../events/task-input.ts'
import type { EventStore, ReadOptions } from '../../store/event-store.ts'

/** The facts of a run, or a range of them. Those of answers that only the agents' facts hold have the texts of these. */
export async function* factsWithAnswers(
  store: EventStore,
  stream: string,
  range: ReadOptions = {},
): AsyncGenerator<Recorded> {
  const facts: Recorded[] = []
  const asked = new Map<unknown, JsonObject>()
  const answers = new Map<string, FarAnswer[]>()
  for await (const recorded of store.read(stream, range)) {
    const { type, data } = recorded
    const index = facts.push(recorded) - 1
    if (type === 'StepScheduled') asked.set(data.stepKey, data)
    const step = type === 'StepSucceeded' && asked.get(data.stepKey)
    if (!step || typeof data.answer !== 'number') continue
    const worker = streamName('agent', String(step.worker))
    const ofWorker = answers.get(worker) ?? []
    answers.set(worker, ofWorker)
    ofWorker.push({ version: data.answer, taskId: String(step.taskId), index })
  }
  const texts = new Map<number, Body>()
  for (const [worker, wanted] of answers)
    for await (const [{ index }, text] of textsIn(store, worker, wanted)) texts.set(index, text)
  for (const [index, recorded] of facts.entries()) {
    const text = texts.get(index)
    yield text === undefined ? recorded : { ...recorded, data: { ...recorded.data, text } }
  }
}

/** An answer in the stream of its agent. */
interface FarAnswer {
  readonly version: number
  readonly taskId: string
  /** Of the fact that names it. */
  readonly index: number
}

/** Answers that are no further apart, in facts, are read together. */
const NEAR = 32

/** The texts of answers of one agent. One that is not in this log is left out. */
async function* textsIn(
  store: EventStore,
  stream: string,
  wanted: FarAnswer[],
): AsyncGenerator<[FarAnswer, Body]> {
  wanted.sort((one, other) => one.version - other.version)
  for (let from = 0, to = 1; from < wanted.length; from = to, to += 1) {
    while (versionOf(wanted[to]) - versionOf(wanted[to - 1]) <= NEAR) to += 1
    const range = { after: versionOf(wanted[from]) - 1, to: versionOf(wanted[to - 1]) }
    const found = new Map<number, Recorded>()
    for await (const recorded of store.read(stream, range)) found.set(recorded.version, recorded)
    for (const answer of wanted.slice(from, to)) {
      const { version, taskId } = answer
      const text = textOf(found.get(version), taskId) ?? (await textAnywhere(store, stream, taskId))
      if (text !== undefined) yield [answer, text]
    }
  }
}

const versionOf = (answer: FarAnswer | undefined) => answer?.version ?? Number.POSITIVE_INFINITY

function textOf(recorded: Recorded | undefined, taskId: string): Body | undefined {
  const fact = recorded && agentFacts.read(recorded)
  return fact?.type === 'CallSucceeded' && fact.data.taskId === taskId ? fact.data.text : undefined
}

/** A repair may have left out facts before it. */
async function textAnywhere(store: EventStore, stream: string, taskId: string): Promise<Body | undefined> {
  const { outcome } = (await recordedTask(taskId, store, stream)) ?? {}
  return outcome?.type === 'CallSucceeded' ? outcome.data.text : undefined
}
