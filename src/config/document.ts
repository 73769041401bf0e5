/** A configuration file as a value whose parts know where they stand, so that whatever is wrong is said with line and column. */
import { extname } from 'node:path'
import { isMap, isScalar, isSeq, Lexer, LineCounter, type ParsedNode, Parser, parseDocument } from 'yaml'
import { ConfigError } from '../events/errors/config.ts'
import type { ValuePath } from '../events/options/decoding.ts'

/** Deeper than anything that makes sense here, and far from what would exhaust the stack of who reads it. */
const DEEPEST = 64

export class ConfigDocument {
  /** What the file says, as plain data; undefined where it says nothing. */
  readonly value: unknown
  readonly #file: string
  readonly #root: ParsedNode | null
  readonly #lines = new LineCounter()

  /** Throws ConfigError where the text is not YAML or JSON, or is made to hurt: nested very deeply, or full of aliases. */
  constructor(file: string, text: string) {
    this.#file = file
    if (isTooDeep(text)) throw this.#error(file, `it is nested more than ${DEEPEST} levels deep`)
    const document = parseDocument(text, { lineCounter: this.#lines, strict: true, uniqueKeys: true })
    const [syntax] = document.errors
    if (syntax) {
      const kind = extname(file) === '.json' ? 'JSON' : 'YAML'
      const problem = `this is not valid ${kind}: ${syntax.message.split('\n')[0]?.replace(/ at line.*/, '')}`
      throw this.#error(this.#placeOf(syntax.pos[0]), problem)
    }
    this.#root = document.contents
    try {
      this.value = document.toJS({ maxAliasCount: 0 }) ?? undefined
    } catch (cause) {
      throw this.#error(
        file,
        'it contains aliases (*name), which are not supported here',
        'Write it out.',
        cause,
      )
    }
  }

  /** `file:line:column` of a part; of what is missing, that of where it should be. */
  place(path: ValuePath): string {
    const node = this.#node(path)
    return this.#placeOf(node?.range?.[0])
  }

  /** The place of a key, as opposed to that of its value. */
  keyPlace(path: ValuePath): string {
    const parent = this.#node(path.slice(0, -1))
    const pair = isMap<ParsedNode>(parent)
      ? parent.items.find(({ key }) => nameOf(key) === path.at(-1))
      : undefined
    return pair?.key?.range ? this.#placeOf(pair.key.range[0]) : this.place(path)
  }

  #node(path: ValuePath): ParsedNode | null {
    let node = this.#root
    for (const part of path) {
      const next: ParsedNode | null | undefined = isMap<ParsedNode, ParsedNode | null>(node)
        ? node.items.find(({ key }) => nameOf(key) === part)?.value
        : isSeq<ParsedNode>(node)
          ? node.items[Number(part)]
          : undefined
      if (!next) return node
      node = next
    }
    return node
  }

  #placeOf(offset: number | undefined): string {
    if (offset === undefined) return this.#file
    const { line, col } = this.#lines.linePos(offset)
    return `${this.#file}:${line}:${col}`
  }

  #error(place: string, problem: string, hint = '', cause?: unknown): ConfigError {
    return new ConfigError([{ place, problem, hint }], cause === undefined ? {} : { cause })
  }
}

const nameOf = (key: unknown) => (isScalar(key) ? String(key.value) : undefined)

/** Counted without recursion, before anything is built. */
function isTooDeep(text: string): boolean {
  const parser = new Parser()
  for (const lexeme of new Lexer().lex(text)) {
    for (const _ of parser.next(lexeme));
    if (parser.stack.length > DEEPEST) return true
  }
  return false
}
