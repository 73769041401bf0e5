/** A configuration file as nodes that know where they stand, so that whatever is wrong is said with line and column. */
import { extname } from 'node:path'
import * as Schema from 'effect/Schema'
import { isMap, isScalar, isSeq, LineCounter, type ParsedNode, parseDocument } from 'yaml'
import { ConfigError } from './events/errors.ts'
import { nameHint } from './nearest-name.ts'

export type Node = ParsedNode | null
/** An entry of a mapping, and where its key stands. */
export type Entry = readonly [key: string, value: Node, offset: number]

export class ConfigNodes {
  readonly root: Node
  readonly #file: string
  readonly #lines = new LineCounter()

  /** Throws ConfigError where the text is not YAML or JSON. */
  constructor(file: string, text: string) {
    this.#file = file
    const document = parseDocument(text, { lineCounter: this.#lines, strict: true, uniqueKeys: true })
    const [syntax] = document.errors
    if (syntax) {
      const kind = extname(file) === '.json' ? 'JSON' : 'YAML'
      this.fail(syntax.pos[0], `this is not valid ${kind}: ${syntax.message.split('\n')[0]}`)
    }
    this.root = document.contents
  }

  /** Throws a ConfigError with the place. */
  fail(place: Node | number | undefined, problem: string, hint?: string, cause?: unknown): never {
    const offset = typeof place === 'object' ? place?.range?.[0] : place
    const at = offset === undefined ? undefined : this.#lines.linePos(offset)
    throw new ConfigError(
      { file: this.#file, at, problem, ...(hint === undefined ? {} : { hint }) },
      cause === undefined ? {} : { cause },
    )
  }

  /** The entries of a mapping; of nothing there are none. Aliases are not followed: nothing here needs them. */
  entries(node: Node, what: string): readonly Entry[] {
    if (node === null || (isScalar(node) && node.value === null)) return []
    if (!isMap<ParsedNode, Node>(node)) return this.fail(node, `${what} must be a mapping of keys to values`)
    return node.items.map(({ key, value }) => {
      if (isScalar(key) && typeof key.value === 'string') return [key.value, value, key.range[0]]
      return this.fail(key, `a key in ${what} must be a word`)
    })
  }

  /** The items of a list; of nothing there are none. */
  items(node: Node, what: string): readonly Node[] {
    if (node === null || (isScalar(node) && node.value === null)) return []
    return isSeq<ParsedNode>(node) ? node.items : this.fail(node, `${what} must be a list`)
  }

  /** What a table holds under a name; a name that it does not know is refused with the nearest one. */
  field<T extends object>(fields: T, name: string, offset: number, what: string): T[keyof T] {
    if (Object.hasOwn(fields, name)) return fields[name as keyof T]
    return this.fail(offset, `there is no ${what} "${name}"`, nameHint(name, Object.keys(fields)))
  }

  /** A single value, as the schema has it. */
  value<T>(name: string, schema: Schema.Decoder<T>, node: Node): T {
    try {
      return Schema.decodeUnknownSync(schema)(isScalar(node) ? node.value : undefined)
    } catch (cause) {
      return this.fail(node, `${name}: ${(cause as Error).message.split('\n')[0]}`, undefined, cause)
    }
  }
}
