/** A configuration file whose values know their positions, so that every mistake is reported with line and column. */

import { extname } from 'node:path'
import { isMap, isScalar, isSeq, Lexer, LineCounter, type ParsedNode, Parser, parseDocument } from 'yaml'
import { ConfigError } from '../events/errors/config.ts'
import { defined } from '../events/json.ts'
import type { ValuePath } from '../events/options/decoding.ts'

/** Deeper than any real configuration, and far below what would exhaust a recursive reader's stack. */
const DEEPEST = 64

export class ConfigDocument {
  /** The contents as plain data; undefined if the file is empty. */
  readonly value: unknown
  readonly #file: string
  readonly #root: ParsedNode | null
  readonly #lines = new LineCounter()

  /**
   * Throws ConfigError if the text is not valid YAML or JSON, or is malicious: nested very deeply, or full of
   * aliases.
   */
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
        'it contains aliases (*name), which are not supported',
        'Write the value out.',
        cause,
      )
    }
  }

  /** `file:line:column` of a value; for a missing one, where it belongs. */
  place(path: ValuePath): string {
    const node = this.#node(path)
    return this.#placeOf(node?.range?.[0])
  }

  /** The position of a key rather than of its value. */
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
    return new ConfigError([{ place, problem, hint }], defined({ cause }))
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
