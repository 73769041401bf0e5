/** OpenTelemetry spans of runs, tasks and calls, made from the facts of the log as they are appended. */
import type { AgentRef } from '../actors/agent/ref.ts'
import { Mailbox } from '../actors/engine/mailbox.ts'
import type { Recorded } from '../events/envelope.ts'
import { checkArgument, checkOptionsOf, type KnownKeys } from '../events/options/decoding.ts'
import type { Orchestrator } from '../orchestrator.ts'
import { wholeNumber } from '../store/read-range.ts'
import { SpanTree } from './span-tree.ts'

/** Options of `telemetry`. */
export interface TelemetryOptions {
  /** Begin with the facts after this position. Default: only new facts. */
  readonly after?: number
  /** Whether spans contain prompts and answers. Default: false, as they are long and may be private. */
  readonly messages?: boolean
  /** The provider that receives the spans. Default: the one that the program has registered. */
  readonly tracerProvider?: { getTracer(name: string, version?: string): unknown }
}

const TELEMETRY_OPTIONS: KnownKeys<TelemetryOptions> = {
  after: true,
  messages: 'true or false',
  tracerProvider: 'a tracer provider',
}

/** The running telemetry of an orchestrator. */
export interface Telemetry extends AsyncDisposable {
  /** False if `@opentelemetry/api` is not installed: then there are no spans. */
  readonly active: boolean
  /** Ends the open spans and starts no more. Closing the orchestrator does the same. */
  stop(): Promise<void>
}

/**
 * Reports spans by OpenTelemetry's semantic conventions for generative AI: `invoke_workflow` for a run, in it
 * `invoke_agent` for each task, in that `chat` for each call. They start and end at the times of their facts. A failure of
 * telemetry does not affect the orchestrator.
 *
 * @example
 * const provider = new BasicTracerProvider({ spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())] })
 * await using _ = await telemetry(orchestrator, { tracerProvider: provider })
 */
export async function telemetry(
  orchestrator: Orchestrator,
  options: TelemetryOptions = {},
): Promise<Telemetry> {
  checkOptionsOf('telemetry', options, TELEMETRY_OPTIONS)
  const { after, messages = false, tracerProvider } = options
  checkArgument('The orchestrator', orchestrator, 'an object')
  checkArgument('The orchestrator', orchestrator.store, 'a store')
  if (after !== undefined) wholeNumber('after', after)
  const api = await import('@opentelemetry/api').catch(() => null)
  if (!api) return { active: false, stop: async () => {}, [Symbol.asyncDispose]: async () => {} }
  const tracer = (tracerProvider ?? api.trace).getTracer('claude-multi-agent') as ReturnType<
    typeof api.trace.getTracer
  >
  const tree = new SpanTree(api, tracer, {
    modelOf: async (agent) => configOf(await orchestrator.agent(agent))?.model ?? null,
    ...(messages && { read: (reference) => orchestrator.store.blobs.get(reference) }),
  })
  const start = after ?? (await orchestrator.store.head())
  const work = new Mailbox()
  let position = start
  let isOver = false
  let ended: Promise<void> | undefined
  let wake = () => {}
  const add = (recorded: Recorded) => {
    position = recorded.position
    work.post(() => tree.add(recorded)).catch(() => {})
    wake()
  }
  const end = () => {
    isOver = true
    ended = work.post(() => tree.end()).catch(() => {})
    wake()
  }
  const subscription = orchestrator
    .events({ after: start })
    .subscribe({ next: add, complete: end, error: end })
  const stop = async () => {
    // Facts that were appended before are reported too.
    const last = isOver ? 0 : await orchestrator.store.head().catch(() => 0)
    while (position < last && !isOver) {
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
    subscription.unsubscribe()
    if (!isOver) end()
    await ended
  }
  return { active: true, stop, [Symbol.asyncDispose]: stop }
}

const configOf = (agent: AgentRef) => agent.snapshot.context.config
