/** Finds the `type` of a JSON record while its bytes arrive, so that a long one can be skipped without being held. */

export interface RecordTypeScanner {
  push(bytes: Uint8Array): void
  /** undefined: not known yet. null: this is not a record, or it has no type. */
  readonly type: string | null | undefined
}

const [QUOTE, BACKSLASH, COLON, COMMA] = [0x22, 0x5c, 0x3a, 0x2c]
const [OPENING, CLOSING] = [new Set([0x7b, 0x5b]), new Set([0x7d, 0x5d])]
const BLANK = new Set([0x20, 0x09, 0x0d])
const BRACE = 0x7b

/** No type is longer. */
const LONGEST = 100

/** Reads each byte once, and remembers one short string. The keys of a record come in any order. */
export function recordTypeScanner(): RecordTypeScanner {
  let type: string | null | undefined
  let depth = 0
  let isInString = false
  let isEscaped = false
  /** The string at the top level that is being read, or was read last. */
  let text = ''
  /** Whether that string is a value, and which key it belongs to. */
  let key: string | null = null

  const readInString = (byte: number) => {
    if (isEscaped) isEscaped = false
    else if (byte === BACKSLASH) isEscaped = true
    else if (byte === QUOTE) {
      isInString = false
      if (depth === 1 && key === 'type') type = text
      return
    }
    if (depth === 1 && text.length < LONGEST) text += String.fromCharCode(byte)
  }
  const read = (byte: number) => {
    if (byte === QUOTE) {
      isInString = true
      text = ''
    } else if (OPENING.has(byte)) depth += 1
    else if (CLOSING.has(byte)) {
      depth -= 1
      if (depth <= 0) type = null
    } else if (depth !== 1) return
    else if (byte === COLON) key = text
    else if (byte === COMMA) key = null
  }

  return {
    get type() {
      return type
    },
    push(bytes) {
      for (const byte of bytes) {
        if (type !== undefined) return
        if (isInString) readInString(byte)
        else if (depth > 0) read(byte)
        else if (byte === BRACE) depth = 1
        else if (!BLANK.has(byte)) type = null
      }
    },
  }
}
