/** The tools for the past: facts of the log, page by page, and what led to one. */
import * as Schema from 'effect/Schema'
import type { Recorded } from '../../events/envelope.ts'
import { PositionNotFoundError } from '../../events/errors/history.ts'
import { jsonLine } from '../../events/hidden-characters.ts'
import { defined } from '../../events/json.ts'
import { causesOf, effectsOf } from '../../history/causes.ts'
import { shortened, type ToolResult, textTo, wholeTo } from '../../mcp/tool.ts'
import { lastMatching } from '../../remote/live-log.ts'
import type { EventStore } from '../../store/event-store.ts'
import { factFilter, typeMeant } from '../log/fact-filter.ts'
import { agentId } from './agents.ts'
import { tool } from './team.ts'

const MOST_FACTS = 50
/** In characters: of the data of a fact, if it is the only one, and otherwise. */
const LONGEST_DATA = { only: 16_000, several: 600 }
const LAST_POSITION = Number.MAX_SAFE_INTEGER

const shown = ({ position, at, stream, type, data, correlationId }: Recorded, longest: number) => ({
  ...{ position, at, stream, type, correlationId, data: shortened(jsonLine(data), longest) },
})

const line = ({ position, at, stream, type, data }: ReturnType<typeof shown>) =>
  `${position} ${at} ${stream} ${type} ${data}`

export const readLog = tool({
  name: 'read_log',
  title: 'Read the log',
  description:
    'Reads facts of the log, oldest first: everything that agents and runs did. Without after, the latest ones. Long data is cut; with a limit of 1 it is not. An agent has the stream agent/ID, a run has run/ID.',
  effect: 'reads',
  fields: {
    stream: Schema.optionalKey(textTo(140, 'Only this stream, such as agent/writer or run/report-7.')),
    agent: Schema.optionalKey(agentId.annotate({ description: 'Only this agent.' })),
    types: Schema.optionalKey(
      Schema.Array(textTo(100, 'A type, such as TaskAccepted, CallSucceeded or TaskFailed.'))
        .check(Schema.isMaxLength(20))
        .annotate({ description: 'Only facts of these types.' }),
    ),
    after: Schema.optionalKey(
      wholeTo(LAST_POSITION, 'Only facts after this position: nextAfter of the page before.'),
    ),
    limit: Schema.optionalKey(wholeTo(MOST_FACTS, 'The most facts to return. Default: 20.')),
  },
  async run({ after, limit = 20, types, ...where }, { team, signal }) {
    const filter = defined({ ...where, type: types })
    const isWanted = factFilter(filter)
    const { stream = where.agent === undefined ? undefined : `agent/${where.agent}` } = where
    const read = await team.read(async ({ orchestrator: { store } }) => {
      const from = after ?? (stream === undefined ? await lastMatching(store, limit, isWanted) : null)
      const facts = from === null ? latest(store, stream ?? '') : factsAfter(store, stream, from)
      const found: Recorded[] = []
      for await (const fact of facts) {
        signal.throwIfAborted()
        if (found.length >= limit) break
        if (isWanted(fact)) found.push(fact)
      }
      return { head: await store.head(), found: from === null ? found.toReversed() : found }
    })
    const { head, found } = read ?? { head: 0, found: [] }
    const longest = limit === 1 ? LONGEST_DATA.only : LONGEST_DATA.several
    const facts = found.map((fact) => shown(fact, longest))
    const last = found.at(-1)?.position ?? head
    const nextAfter = found.length === limit && last < head ? last : null
    const none = `There are no such facts.${typeMeant(filter)}`
    const more = nextAfter === null ? '' : `\nLater facts: read on with after ${nextAfter}.`
    return {
      text: (facts.length === 0 ? none : facts.map(line).join('\n')) + more,
      data: { facts, head, nextAfter },
    }
  },
})

/** The facts of a stream, the newest first. */
const latest = (store: EventStore, stream: string) => store.read(stream, { direction: 'backwards' })

async function* factsAfter(store: EventStore, stream: string | undefined, after: number) {
  if (stream === undefined) yield* store.readAll({ after })
  else for await (const fact of store.read(stream)) if (fact.position > after) yield fact
}

const MOST_CAUSES = 60

export const explainFact = tool({
  name: 'why',
  title: 'Explain a fact',
  description:
    'Shows what led to a fact of the log, across agents and runs back to the command, or what it led to.',
  effect: 'reads',
  fields: {
    position: wholeTo(LAST_POSITION, 'The position of the fact: read_log has it.'),
    forward: Schema.optionalKey(
      Schema.Boolean.annotate({ description: 'What it led to, instead of what led to it. Default: false.' }),
    ),
  },
  async run({ position, forward = false }, { team }): Promise<ToolResult> {
    const lines = await team.read(({ orchestrator: { store } }) =>
      forward ? effectsOf(store, position) : causesOf(store, position),
    )
    if (lines === null) throw new PositionNotFoundError({ position, last: 0 })
    const facts = lines.slice(0, MOST_CAUSES).map(({ fact, depth, of, command }) => ({
      ...{ ...shown(fact, 200), depth, of, command: command && shortened(command, 300) },
    }))
    const text = facts.map((fact) => {
      const asked = fact.command === null ? '' : `\n  asked for by: ${fact.command}`
      return `${'  '.repeat(fact.depth)}${line(fact)}${asked}`
    })
    const more = lines.length > facts.length ? [`These are not all ${lines.length}.`] : []
    return { text: [...text, ...more].join('\n'), data: { facts, total: lines.length } }
  },
})
