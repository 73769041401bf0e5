/** What runs, tasks and calls did as OpenTelemetry spans, made of the facts in the log while they are written. */

import type { Agent } from '../actors/agent/agent.ts'
import { Mailbox } from '../actors/engine/mailbox.ts'
import type { Recorded } from '../events/envelope.ts'
import type { Orchestrator } from '../orchestrator.ts'
import { SpanTree } from './span-tree.ts'

/** Options of `telemetry`. */
export interface TelemetryOptions {
  /** Which facts to begin with: those after this position. Default: those that are written from now on. */
  readonly after?: number
  /** Whether prompts and answers are part of the spans. Default false: they may be private, and are long. */
  readonly messages?: boolean
  /** Where the spans go. Default: the provider that the program has registered. */
  readonly tracerProvider?: { getTracer(name: string, version?: string): unknown }
}

export interface Telemetry extends AsyncDisposable {
  /** False where `@opentelemetry/api` is not installed: then nothing happens. */
  readonly active: boolean
  /** Ends the spans that are open and makes no more. Closing the orchestrator does it as well. */
  stop(): Promise<void>
}

/**
 * Makes spans by the semantic conventions for generative AI: `invoke_workflow` for a run, in it `invoke_agent` for each
 * task, in that `chat` for each call. Start and end are the times of the facts. A failure in here disturbs nothing.
 *
 * @example
 * const provider = new BasicTracerProvider({ spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())] })
 * await using _ = await telemetry(orchestrator, { tracerProvider: provider })
 */
export async function telemetry(
  orchestrator: Orchestrator,
  { after, messages = false, tracerProvider }: TelemetryOptions = {},
): Promise<Telemetry> {
  const api = await import('@opentelemetry/api').catch(() => null)
  if (!api) return { active: false, stop: async () => {}, [Symbol.asyncDispose]: async () => {} }
  const tracer = (tracerProvider ?? api.trace).getTracer('claude-multi-agent') as ReturnType<
    typeof api.trace.getTracer
  >
  const tree = new SpanTree(api, tracer, {
    modelOf: async (agent) => configOf(await orchestrator.agent(agent))?.model ?? null,
    ...(messages ? { read: (reference) => orchestrator.store.blobs.get(reference) } : {}),
  })
  const start = after ?? (await orchestrator.store.head())
  const work = new Mailbox()
  let position = start
  let isOver = false
  let ended: Promise<void> | undefined
  let look = () => {}
  const see = (recorded: Recorded) => {
    position = recorded.position
    work.post(() => tree.see(recorded)).catch(() => {})
    look()
  }
  const end = () => {
    isOver = true
    ended = work.post(() => tree.end())
    look()
  }
  const subscription = orchestrator
    .events({ after: start })
    .subscribe({ next: see, complete: end, error: end })
  const stop = async () => {
    // What was written before is told as well.
    const last = isOver ? 0 : await orchestrator.store.head().catch(() => 0)
    while (position < last && !isOver) {
      await new Promise<void>((resolve) => {
        look = resolve
      })
    }
    subscription.unsubscribe()
    if (!isOver) end()
    await ended
  }
  return { active: true, stop, [Symbol.asyncDispose]: stop }
}

const configOf = (agent: Agent) => agent.snapshot.context.config
