/** `workflow report`: a run from its input to its result, with every prompt and answer, as Markdown or as a page. */
import { createWriteStream } from 'node:fs'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { type Bodies, bodiesIn } from '../../actors/engine/bodies.ts'
import { agentFacts } from '../../events/agent-facts.ts'
import { describeError } from '../../events/errors/base.ts'
import { sentence } from '../../events/errors/phrases.ts'
import { RunNotFoundError } from '../../events/errors/run.ts'
import { InvalidInputError } from '../../events/errors/usage.ts'
import { dollars, duration } from '../../events/figures.ts'
import { streamName } from '../../events/ids.ts'
import { runFacts } from '../../events/run-facts.ts'
import { type Body, composePrompt } from '../../events/task-input.ts'
import type { Orchestrator } from '../../orchestrator.ts'
import type { RunDetails } from '../../patterns/runs/options.ts'
import type { RecordedStep } from '../../patterns/runs/recorded-steps.ts'
import { recordedResult } from '../../patterns/runs/workflow-result.ts'
import type { EventStore } from '../../store/event-store.ts'
import { fileTable, fleetBlocks, fleetReport } from '../fleet/report.ts'
import type { GlobalOptions } from '../global-options.ts'
import { checkFolder, type OverwriteOptions, refuseToOverwrite } from '../overwriting.ts'
import { readStore } from '../session.ts'
import { type Block, MARKDOWN, PAGE, type ReportFormat } from '../terminal/document.ts'
import { asTyped } from '../terminal/own-name.ts'
import { howToContinue, stepsInWords, waitingFor } from './runs.ts'

interface ReportOptions extends OverwriteOptions {
  readonly html?: boolean
  readonly output?: string
}

export async function reportRun(
  globals: GlobalOptions,
  runId: string,
  { html = false, output, force }: ReportOptions,
): Promise<void> {
  if (globals.json)
    throw new InvalidInputError({
      what: 'workflow report',
      problem: 'it cannot be combined with --json',
      hint: `As data, a run is: claude-agents workflow show ${runId} --json`,
    })
  if (output !== undefined) {
    await checkFolder('--output', output)
    refuseToOverwrite(output, force)
  }
  const format = html || /\.html?$/i.test(output ?? '') ? PAGE : MARKDOWN
  await readStore(
    globals,
    async ({ orchestrator, terminal }) => {
      const pieces = reportOf(orchestrator, runId, format)
      if (output !== undefined) return pipeline(Readable.from(pieces), createWriteStream(output))
      for await (const piece of pieces) terminal.write(piece)
    },
    () => new RunNotFoundError({ runId }),
  )
}

/** Piece by piece: the texts of a long run need not be in memory together. */
async function* reportOf(
  orchestrator: Orchestrator,
  runId: string,
  format: ReportFormat,
): AsyncGenerator<string> {
  const run = await orchestrator.runs.show(runId)
  let isFirst = true
  for await (const block of runBlocks(orchestrator, run)) {
    yield (isFirst ? format.begin(`Run ${runId}`) : '') + format.block(block)
    isFirst = false
  }
  yield format.end
}

async function* runBlocks(orchestrator: Orchestrator, run: RunDetails): AsyncGenerator<Block> {
  const { runId, name, status, taken, durationMs, costUsd, startedAt, endedAt, finalOutput } = run
  const { store } = orchestrator
  const bodies = bodiesIn(store)
  const times = [
    ...(startedAt === null ? [] : [`started ${startedAt}`]),
    ...(endedAt === null ? [] : [`ended ${endedAt}`]),
  ]
  const figures = [stepsInWords(taken), duration(durationMs), dollars(costUsd), ...times]
  yield { paragraph: `${name}: ${status}. ${figures.join(', ')}.`, tone: status }
  const waiting = await waitingFor(orchestrator, run)
  const advice = howToContinue(run, waiting)
  if (waiting.length > 0 || advice !== null)
    yield {
      items: [
        ...waiting.map(({ question, command }) => `${sentence(question)} ${asTyped(command)}`),
        ...(advice === null ? [] : [asTyped(advice)]),
      ],
    }
  const started = await startOf(store, runId)
  if (started !== null) yield* asked('Input', started, bodies)
  const fleet = run.workflow?.kind === 'fleet' ? await fleetOf(orchestrator, runId, bodies) : null
  if (fleet !== null) return yield* fleetBlocks(fleet)
  yield* stepBlocks(store, run, bodies)
  for (const { agent, files } of (await orchestrator.runs.diff(runId)).agents)
    if (files.length > 0) yield* [{ heading: `Files of ${agent}` }, ...fileTable(files)]
  if (finalOutput !== null && finalOutput !== '') yield* [{ heading: 'Output' }, { text: finalOutput }]
}

/** Its errors are in the log once it has ended. */
async function fleetOf(orchestrator: Orchestrator, runId: string, bodies: Bodies) {
  const { store } = orchestrator
  const stream = streamName('run', runId)
  const result = await recordedResult(runId, { store, stream, to: await store.head(stream) }, bodies)
  return fleetReport(orchestrator, result)
}

async function* stepBlocks(store: EventStore, { taken }: RunDetails, bodies: Bodies): AsyncGenerator<Block> {
  if (taken.length === 0) return
  const right = { right: true }
  yield { heading: 'Steps' }
  yield {
    columns: [
      { head: 'Step', ...right },
      { head: 'Agent' },
      { head: 'Outcome' },
      { head: 'Took', ...right },
      { head: 'Tokens', ...right },
      { head: 'Cost', ...right },
    ],
    rows: taken.map(({ worker, state, durationMs, tokens, costUsd, carriedFrom, tries }, at) => [
      String(at + 1),
      { text: worker, to: `step-${at + 1}` },
      {
        text: `${STATES[state]}${carriedFrom === null ? '' : `, carried over from run ${carriedFrom}`}${tries > 1 ? `, asked ${tries} times` : ''}`,
        tone: state,
      },
      state === 'succeeded' ? duration(durationMs) : '',
      String(tokens),
      dollars(costUsd),
    ]),
  }
  const prompts = await promptsOf(store, taken)
  for (const [at, { worker, taskId, text, problem }] of taken.entries()) {
    yield { heading: `${at + 1}. ${worker}`, id: `step-${at + 1}` }
    if (problem !== null) yield { paragraph: problem, tone: 'failed' }
    const prompt = prompts.get(taskId)
    if (prompt) yield* asked('Prompt', prompt, bodies)
    if (text !== null) yield { text: await read(bodies, text), summary: 'Answer' }
  }
}

const STATES = {
  scheduled: 'open',
  succeeded: 'succeeded',
  failed: 'failed',
  cancelled: 'cancelled',
} as const satisfies Record<RecordedStep['state'], string>

interface Asked {
  readonly prompt: Body
  readonly textInput: Body | null
}

async function* asked(summary: string, { prompt, textInput }: Asked, bodies: Bodies): AsyncGenerator<Block> {
  const text = await read(bodies, prompt)
  yield {
    text: composePrompt({ prompt: text, ...(textInput && { textInput: await read(bodies, textInput) }) }),
    summary,
  }
}

/** A text that is no longer in the store says so. */
const read = (bodies: Bodies, body: Body) =>
  bodies.read(body).catch((error) => `(${describeError(error).message})`)

async function startOf(store: EventStore, runId: string): Promise<Asked | null> {
  for await (const recorded of store.read(streamName('run', runId), { limit: 1 })) {
    const { type, data } = runFacts.read(recorded)
    if (type === 'RunStarted') return data
  }
  return null
}

/** What each task was asked. The stream of each agent is read once, back to the first of its tasks. */
async function promptsOf(
  store: EventStore,
  steps: readonly RecordedStep[],
): Promise<ReadonlyMap<string, Asked>> {
  const prompts = new Map<string, Asked>()
  const open = new Map<string, Set<string>>()
  for (const { worker, taskId } of steps) open.set(worker, (open.get(worker) ?? new Set()).add(taskId))
  for (const [worker, tasks] of open)
    for await (const recorded of store.read(streamName('agent', worker), { direction: 'backwards' })) {
      if (tasks.size === 0) break
      if (recorded.type !== 'TaskAccepted' || !tasks.delete(String(recorded.data.taskId))) continue
      const fact = agentFacts.read(recorded)
      if (fact.type === 'TaskAccepted') prompts.set(fact.data.taskId, fact.data)
    }
  return prompts
}
