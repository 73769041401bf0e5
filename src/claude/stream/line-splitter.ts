/** Splits a byte stream into lines of text, limiting the size of each line and of the whole. */
import { OutputTooLargeError } from '../../events/errors/call.ts'

export interface OutputLimits {
  /** Bytes in one line. */
  readonly lineBytes: number
  /** Bytes in a whole call. */
  readonly callBytes: number
}

/** An answer of several megabytes is one line; a program that prints more than this is malfunctioning. */
export const OUTPUT_LIMITS: OutputLimits = { lineBytes: 8 * 2 ** 20, callBytes: 64 * 2 ** 20 }

export interface LineSplitter {
  /** The lines completed by this chunk. Throws {@link OutputTooLargeError}. */
  push(chunk: Uint8Array): string[]
  /** What follows the last line feed, if anything. */
  end(): string[]
}

const LINE_FEED = 0x0a

/**
 * Splits at line feeds only: U+2028 and carriage returns may be part of an answer. Works on bytes, so that a chunk
 * may end inside a character. Invalid UTF-8 becomes U+FFFD.
 */
export function lineSplitter(limits: OutputLimits = OUTPUT_LIMITS): LineSplitter {
  let pieces: Uint8Array[] = []
  let pending = 0
  let total = 0

  const keep = (piece: Uint8Array) => {
    pending += piece.length
    if (pending > limits.lineBytes) throw outputTooLarge('a line', limits.lineBytes)
    if (piece.length > 0) pieces.push(piece)
  }
  const take = (): string => {
    const line = Buffer.concat(pieces, pending).toString('utf8')
    pieces = []
    pending = 0
    return line
  }

  return {
    push(chunk) {
      total += chunk.length
      if (total > limits.callBytes) throw outputTooLarge('the output', limits.callBytes)
      const lines: string[] = []
      let start = 0
      for (let end = chunk.indexOf(LINE_FEED); end !== -1; end = chunk.indexOf(LINE_FEED, start)) {
        keep(chunk.subarray(start, end))
        lines.push(take())
        start = end + 1
      }
      keep(chunk.subarray(start))
      return lines
    },
    end: () => (pending > 0 ? [take()] : []),
  }
}

/** The error for output that exceeds a limit. */
export const outputTooLarge = (what: string, bytes: number) =>
  new OutputTooLargeError({ said: `${what} exceeds ${bytes} bytes` })
