/** A tool of an MCP server of ours: what it takes, as a schema, and what it gives back, as text and as data, both of bounded size. */
import type { StandardSchemaWithJSON } from '@modelcontextprotocol/server'
import * as Schema from 'effect/Schema'
import { describeError } from '../events/errors/base.ts'
import { type Decodable, decodedInput } from '../events/options/decoding.ts'

/** One call of a tool. */
export interface ToolCall<Team> {
  /** What the tools work with. */
  readonly team: Team
  /** Aborted when the client no longer wants the result, or is gone. */
  readonly signal: AbortSignal
  /** Tells the client that something has happened. */
  readonly progress: (message: string) => void
}

/** What a tool gives back: for a model to read, and all of the same as data, since Claude Code shows the model only that. */
export interface ToolResult {
  readonly text: string
  readonly data: Readonly<Record<string, unknown>>
}

export interface Tool<Team> {
  readonly name: string
  readonly title: string
  /** When to use it, and what comes of it. */
  readonly description: string
  readonly schema: StandardSchemaWithJSON
  /** `reads`: it changes nothing. `adds`: it changes nothing that is there. `ends`: something ends for good. */
  readonly effect: 'reads' | 'adds' | 'ends'
  run(input: never, call: ToolCall<Team>): Promise<ToolResult>
}

/** Makes the tools that work with a team. */
export const toolsFor =
  <Team>() =>
  <const F extends Schema.Struct.Fields>({
    fields,
    ...rest
  }: Omit<Tool<Team>, 'schema' | 'run'> & {
    readonly fields: F
    run(input: Schema.Struct<F>['Type'], call: ToolCall<Team>): Promise<ToolResult>
  }): Tool<Team> => ({
    ...rest,
    schema: standardSchema(Object.keys(fields).length === 0 ? NOTHING : Schema.Struct(fields)),
  })

/** A struct without fields would take anything. */
const NOTHING = Schema.Record(Schema.String, Schema.Never)

/** A schema as the SDK takes it: mistakes are told in our words, and what it does not name is refused. */
function standardSchema(schema: Schema.Top): StandardSchemaWithJSON {
  const json = () => {
    const { schema: root, definitions } = Schema.toJsonSchemaDocument(schema, { onExcessProperty: 'error' })
    return { ...root, ...(Object.keys(definitions).length > 0 && { $defs: definitions }) }
  }
  return {
    '~standard': {
      version: 1,
      vendor: 'claude-multi-agent',
      validate(given) {
        try {
          return { value: decodedInput(schema as Decodable, given, { name: 'The input' }) }
        } catch (error) {
          return { issues: [{ message: Object(error).message }] }
        }
      },
      jsonSchema: { input: json, output: json },
    },
  }
}

/** What to do next after an error, by its code, with the tools that there are. */
export type ToolAdvice = Readonly<Record<string, string>>

/** An error as a model reads it: what happened, to what, and what to do next. */
export function failedTool(error: unknown, advice: ToolAdvice): ToolResult {
  const { code, message, hint } = describeError(error)
  const next = [hint, Object.hasOwn(advice, code) ? advice[code] : '']
    .filter((part) => part !== '')
    .join('\n')
  return { text: [message, next].join('\n').trim(), data: { error: { code, message, hint: next } } }
}

/** In characters: the longest text of a result, which is some 4,000 tokens. */
const LONGEST_TEXT = 16_000

/** A piece of a text, from an offset on, and where the next one begins. */
export interface Excerpt {
  readonly text: string
  /** The length of the whole text, in characters. */
  readonly length: number
  readonly nextOffset: number | null
}

export function excerpt(text: string, offset = 0, longest = LONGEST_TEXT): Excerpt {
  const isHalf = /[\ud800-\udbff]/.test(text[offset + longest - 1] ?? '')
  const piece = text.slice(offset, offset + longest - (isHalf ? 1 : 0))
  const end = offset + piece.length
  return { text: piece, length: text.length, nextOffset: end < text.length ? end : null }
}

/** A text that is cut, which says so itself. */
export function shortened(text: string, longest: number): string {
  const { text: piece, nextOffset } = excerpt(text, 0, longest)
  return nextOffset === null ? piece : `${piece}… (${text.length} characters in all)`
}

const bounded = (most: number) =>
  Schema.Int.check(Schema.isGreaterThanOrEqualTo(0), Schema.isLessThanOrEqualTo(most))

export const wholeTo = (most: number, description: string) =>
  bounded(most).annotate({ description, problem: `is not a whole number from 0 to ${most}` })

export const textTo = (longest: number, description: string) =>
  Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(longest)).annotate({
    description,
    problem: `is not a text of 1 to ${longest} characters`,
  })

/** The fields of a list that is read page by page. */
export const PAGE_FIELDS = {
  limit: Schema.optionalKey(wholeTo(100, 'The most entries to return. Default: 20.')),
  offset: Schema.optionalKey(wholeTo(1_000_000, 'How many entries to skip: nextOffset of the page before.')),
}

/** A page of a list, and where the next one begins. */
export function pageOf<T>(
  all: readonly T[],
  { limit = 20, offset = 0 }: { readonly limit?: number; readonly offset?: number },
) {
  const entries = all.slice(offset, offset + limit)
  const end = offset + entries.length
  return { entries, total: all.length, nextOffset: end < all.length && entries.length > 0 ? end : null }
}

/** What to say below a page that is not the last. */
export const morePages = ({ total, nextOffset }: { total: number; nextOffset: number | null }): string =>
  nextOffset === null ? '' : `\nThese are not all ${total}: the next page has offset ${nextOffset}.`
