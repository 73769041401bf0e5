/**
 * Turns facts into spans: which fact starts or ends which span, and what its parent is. Names and attributes follow
 * OpenTelemetry's semantic conventions for generative AI, which are still in development; attributes that they do not
 * define are named `claude_agents.*`.
 */
import type * as Otel from '@opentelemetry/api'
import type { AgentFact } from '../events/agent-facts.ts'
import type { Recorded } from '../events/envelope.ts'
import { defined } from '../events/json.ts'
import type { RunFact } from '../events/run-facts.ts'
import { spendingIn } from '../events/spending.ts'
import type { Body } from '../events/task-input.ts'
import type { BlobReference } from '../store/blobs.ts'

type Api = Pick<typeof Otel, 'trace' | 'ROOT_CONTEXT' | 'SpanKind' | 'SpanStatusCode'>

export interface SpanSources {
  /** The model that an agent is configured with; null for the default. */
  modelOf(agent: string): Promise<string | null>
  /** Reads a long body. Without it, spans contain no prompts and no answers. */
  readonly read?: (reference: BlobReference) => Promise<string>
}

type FactOrigin = Pick<Recorded, 'stream' | 'at' | 'correlationId'>
type DataOf<T extends (AgentFact | RunFact)['type']> = Extract<AgentFact | RunFact, { type: T }>['data']
type Handlers = {
  readonly [T in (AgentFact | RunFact)['type']]?: (
    data: DataOf<T>,
    origin: FactOrigin,
  ) => Promise<void> | void
}

const PROVIDER = { 'gen_ai.provider.name': 'anthropic' }

export class SpanTree {
  readonly #api: Api
  readonly #tracer: Otel.Tracer
  readonly #sources: SpanSources
  /** The open spans by run, task or call. The key of a call is its task's: a task has one call at a time. */
  readonly #open = new Map<string, Otel.Span>()
  #now = new Date(0)

  constructor(api: Api, tracer: Otel.Tracer, sources: SpanSources) {
    this.#api = api
    this.#tracer = tracer
    this.#sources = sources
  }

  async add({ type, data, ...origin }: Recorded): Promise<void> {
    this.#now = new Date(origin.at)
    await this.#handlers[type as keyof Handlers]?.(data as never, origin)
  }

  /** Ends the open spans: work that another process continues gets other spans. */
  end(): void {
    for (const [key] of [...this.#open].reverse()) this.#end(key, { 'claude_agents.unfinished': true })
  }

  readonly #handlers: Handlers = {
    RunStarted: ({ name }, { stream }) => this.#startRun(stream, name),
    RunResumed: (_, { stream }) => this.#startRun(stream),
    RunPaused: (_, { stream }) => this.#end(stream, { 'claude_agents.outcome': 'paused' }),
    RunSucceeded: (_, { stream }) => this.#end(stream),
    RunCancelled: (_, { stream }) => this.#end(stream, { 'claude_agents.outcome': 'cancelled' }),
    RunFailed: ({ errors }, { stream }) =>
      this.#fail(stream, errors[0]?.code ?? '_OTHER', errors[0]?.message ?? 'the run has failed'),

    TaskAccepted: async ({ taskId, prompt }, { stream, correlationId }) => {
      const agent = agentOf(stream)
      const attributes = {
        ...agentAttributes('invoke_agent', agent),
        'claude_agents.task.id': taskId,
        ...(await this.#message('gen_ai.input.messages', 'user', prompt)),
      }
      this.#start(taskKey(stream, taskId), `run/${correlationId}`, `invoke_agent ${agent}`, { attributes })
    },
    CallStarted: async ({ taskId, callId, attempt, sessionId }, { stream }) => {
      const agent = agentOf(stream)
      const model = await this.#sources.modelOf(agent).catch(() => null)
      const attributes = {
        ...agentAttributes('chat', agent),
        ...defined({ 'gen_ai.request.model': model ?? undefined }),
        'gen_ai.conversation.id': sessionId,
        'claude_agents.call.id': callId,
        'claude_agents.call.attempt': attempt,
      }
      const name = model === null ? 'chat' : `chat ${model}`
      const kind = this.#api.SpanKind.CLIENT
      this.#start(callKey(stream, taskId), taskKey(stream, taskId), name, { attributes, kind })
    },
    CallSucceeded: async ({ taskId, text, model, sessionId, harvested, ...data }, { stream }) => {
      const attributes = {
        ...spendingAttributes(data),
        ...(harvested && { 'claude_agents.harvested': true }),
        ...(await this.#message('gen_ai.output.messages', 'assistant', text)),
      }
      const response = defined({ 'gen_ai.response.model': model ?? undefined })
      this.#end(callKey(stream, taskId), { ...attributes, ...response })
      this.#end(taskKey(stream, taskId), { ...attributes, 'gen_ai.conversation.id': sessionId })
    },
    CallDeferred: ({ taskId, tool, ...data }, { stream }) =>
      this.#end(callKey(stream, taskId), { ...spendingAttributes(data), 'gen_ai.tool.name': tool }),
    CallFailed: ({ taskId, error, ...data }, { stream }) =>
      this.#fail(callKey(stream, taskId), error.tag, error.message, spendingAttributes(data)),
    CallOutcomeUnknown: ({ taskId, ...data }, { stream }) =>
      this.#fail(
        callKey(stream, taskId),
        'OutcomeUnknownError',
        'no answer was kept',
        spendingAttributes(data),
      ),
    RetryScheduled: ({ taskId, attempt, dueAt }, { stream }) => {
      const attributes = { 'claude_agents.call.attempt': attempt, 'claude_agents.due_at': dueAt }
      this.#open.get(taskKey(stream, taskId))?.addEvent('retry scheduled', attributes, this.#now)
    },
    TaskFailed: ({ taskId, error }, { stream }) =>
      this.#fail(taskKey(stream, taskId), error.tag, error.message),
    TaskCancelled: ({ taskId }, { stream }) => {
      const outcome = { 'claude_agents.outcome': 'cancelled' }
      this.#end(callKey(stream, taskId), outcome)
      this.#end(taskKey(stream, taskId), outcome)
    },
  }

  #startRun(stream: string, name?: string): void {
    const attributes = {
      'gen_ai.operation.name': 'invoke_workflow',
      ...defined({ 'gen_ai.workflow.name': name }),
      'claude_agents.run.id': stream.slice('run/'.length),
    }
    this.#start(stream, null, name === undefined ? 'invoke_workflow' : `invoke_workflow ${name}`, {
      attributes,
    })
  }

  #start(key: string, parent: string | null, name: string, options: Otel.SpanOptions): void {
    this.#end(key, { 'claude_agents.unfinished': true })
    const above = parent === null ? undefined : this.#open.get(parent)
    const { trace, ROOT_CONTEXT } = this.#api
    const context = above ? trace.setSpan(ROOT_CONTEXT, above) : ROOT_CONTEXT
    this.#open.set(key, this.#tracer.startSpan(name, { ...options, startTime: this.#now }, context))
  }

  #fail(key: string, type: string, message: string, attributes: Otel.Attributes = {}): void {
    this.#open.get(key)?.setStatus({ code: this.#api.SpanStatusCode.ERROR, message })
    this.#end(key, { 'error.type': type, ...attributes })
  }

  #end(key: string, attributes: Otel.Attributes = {}): void {
    const span = this.#open.get(key)
    this.#open.delete(key)
    span?.setAttributes(attributes).end(this.#now)
  }

  async #message(name: string, role: string, body: Body): Promise<Otel.Attributes> {
    const { read } = this.#sources
    if (!read || (typeof body !== 'string' && 'dropped' in body)) return {}
    const content = typeof body === 'string' ? body : await read(body).catch(() => null)
    return content === null ? {} : { [name]: JSON.stringify([{ role, parts: [{ type: 'text', content }] }]) }
  }
}

const agentOf = (stream: string) => stream.slice('agent/'.length)
const taskKey = (stream: string, taskId: string) => `${stream} task ${taskId}`
const callKey = (stream: string, taskId: string) => `${stream} call of ${taskId}`

const agentAttributes = (operation: string, agent: string) => ({
  'gen_ai.operation.name': operation,
  ...PROVIDER,
  'gen_ai.agent.id': agent,
  'gen_ai.agent.name': agent,
})

function spendingAttributes(data: object): Otel.Attributes {
  const spending = spendingIn({ data })
  if (!spending) return {}
  const { usage, costUsd, estimated } = spending
  return {
    ...usageAttributes(usage),
    'claude_agents.cost_usd': costUsd,
    ...(estimated && { 'claude_agents.cost_estimated': true }),
  }
}

/** By the conventions, input tokens include those read from the cache and those written to it. */
const usageAttributes = ({
  inputTokens,
  outputTokens,
  cacheReadTokens,
  cacheCreationTokens,
}: DataOf<'CallSucceeded'>['usage']) => ({
  'gen_ai.usage.input_tokens': inputTokens + cacheReadTokens + cacheCreationTokens,
  'gen_ai.usage.output_tokens': outputTokens,
  'gen_ai.usage.cache_read.input_tokens': cacheReadTokens,
  'gen_ai.usage.cache_creation.input_tokens': cacheCreationTokens,
})
