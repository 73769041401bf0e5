/** Splits a byte stream into lines of text. Limits bound what is held in memory, not how much a call may do. */
import { OutputTooLargeError } from '../../events/errors/call.ts'

export interface OutputLimits {
  /**
   * Bytes in one line. A longer line of `claude` is skipped unless it is the result; other programs have no such limit.
   * Default: 8 MiB.
   */
  readonly lineBytes: number
  /**
   * Bytes in a whole call, without what tools read and what the model streams: output that is not understood, the
   * text of the answer, and stderr. Default: 64 MiB.
   */
  readonly callBytes: number
  /** Bytes in the line that holds the result. Default: 64 MiB. */
  readonly resultBytes?: number
  /** Bytes that the output may take on disk. Default: 8 GiB. */
  readonly diskBytes?: number
}

/** An answer of several megabytes is one line; a program that prints more than this is malfunctioning. */
export const OUTPUT_LIMITS: Required<OutputLimits> = {
  lineBytes: 8 * 2 ** 20,
  callBytes: 64 * 2 ** 20,
  resultBytes: 64 * 2 ** 20,
  diskBytes: 8 * 2 ** 30,
}

/** What is done with a record that is longer than a line may be. */
export type LongRecord = 'keep' | 'skip' | 'count'

export interface LineSplitter {
  /** The lines completed by this chunk. Throws {@link OutputTooLargeError}. */
  push(chunk: Uint8Array): string[]
  /** What follows the last line feed, if anything. */
  end(): string[]
  /** The bytes of all lines; with `longRecords`, only of the long lines to count. */
  readonly counted: number
}

const LINE_FEED = 0x0a

/**
 * Splits at line feeds only: U+2028 and carriage returns may be part of an answer. Works on bytes, so that a chunk
 * may end inside a character. Invalid UTF-8 becomes U+FFFD.
 *
 * @param longRecords Decides about a long line by the `type` of its record. Kept ones may have `resultBytes`; skipped
 * ones cost nothing; counted ones are skipped, and add to the bytes of the call. Default: any long line is an error.
 */
export function lineSplitter(
  limits: OutputLimits = OUTPUT_LIMITS,
  longRecords?: (type: string) => LongRecord,
): LineSplitter {
  const { lineBytes, callBytes, resultBytes = OUTPUT_LIMITS.resultBytes } = limits
  const line = growingBuffer()
  let long: LongLine | null = null
  let counted = 0

  const isBegun = () => line.length > 0 || long !== null
  const count = (bytes: number) => {
    counted += bytes
    if (counted > callBytes) throw outputTooLarge('the output', callBytes)
  }
  const keep = (piece: Uint8Array) => {
    if (long?.isSkipped !== true) line.add(piece)
    if (long === null && line.length > lineBytes) {
      if (longRecords === undefined) throw outputTooLarge('a line', lineBytes)
      long = longLine(longRecords)
      long.add(line.bytes())
    } else long?.add(piece)
    if (long === null) return
    if (line.length > resultBytes) long.drop()
    if (long.isMissed) throw outputTooLarge('the result', resultBytes)
    if (long.isSkipped) line.clear()
    count(long.takeUncounted())
  }
  /** The finished line; none if it was skipped. */
  const take = (): string[] => {
    const taken = long?.isSkipped ? [] : [line.bytes().toString()]
    line.clear()
    long = null
    return taken
  }

  return {
    get counted() {
      return counted
    },
    push(chunk) {
      if (longRecords === undefined) count(chunk.length)
      const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length)
      const lines: string[] = []
      let start = 0
      for (let end = bytes.indexOf(LINE_FEED); end !== -1; end = bytes.indexOf(LINE_FEED, start)) {
        // Most lines come whole: nothing of them has to be kept.
        if (!isBegun() && end - start <= lineBytes) lines.push(bytes.toString('utf8', start, end))
        else {
          keep(bytes.subarray(start, end))
          lines.push(...take())
        }
        start = end + 1
      }
      if (start < bytes.length) keep(bytes.subarray(start))
      return lines
    },
    end: () => (isBegun() ? take() : []),
  }
}

interface LongLine {
  readonly isSkipped: boolean
  /** It was dropped, but it should have been kept. */
  readonly isMissed: boolean
  /** It is too long even to be kept, though its type may not be known yet. */
  drop(): void
  add(piece: Uint8Array): void
  /** The bytes to count that have been added since the last time. */
  takeUncounted(): number
}

/** A long line, until its end: kept while it may be a record worth keeping. */
function longLine(decide: (type: string) => LongRecord): LongLine {
  const scanner = recordTypeScanner()
  let uncounted = 0
  let isDropped = false
  const fate = (): LongRecord => {
    if (scanner.type === undefined) return 'keep'
    return scanner.type === null ? 'count' : decide(scanner.type)
  }
  return {
    get isSkipped() {
      return isDropped || fate() !== 'keep'
    },
    get isMissed() {
      return isDropped && scanner.type !== undefined && fate() === 'keep'
    },
    drop() {
      isDropped = true
    },
    add(piece) {
      scanner.push(piece)
      uncounted += piece.length
    },
    takeUncounted() {
      if (fate() !== 'count') return 0
      const bytes = uncounted
      uncounted = 0
      return bytes
    },
  }
}

const SMALLEST_BUFFER = 4096

/** The bytes of an unfinished line in one buffer of its own: pieces of chunks would keep the whole chunks alive. */
function growingBuffer() {
  let buffer = Buffer.alloc(0)
  let length = 0
  const bytes = () => buffer.subarray(0, length)
  return {
    get length() {
      return length
    },
    bytes,
    add(piece: Uint8Array) {
      if (length + piece.length > buffer.length) {
        const larger = Buffer.allocUnsafe(Math.max(SMALLEST_BUFFER, 2 * buffer.length, length + piece.length))
        buffer.copy(larger, 0, 0, length)
        buffer = larger
      }
      buffer.set(piece, length)
      length += piece.length
    },
    clear() {
      length = 0
      // A long line is rare: its buffer is not kept for the others.
      if (buffer.length > 2 ** 20) buffer = Buffer.alloc(0)
    },
  }
}

/** The error for output that exceeds a limit. */
export const outputTooLarge = (what: string, bytes: number) =>
  new OutputTooLargeError({ said: `${what} exceeds ${bytes} bytes` })

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
