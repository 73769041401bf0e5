/** How much material a task may bring along, and the account of what it has taken so far. */
import { InputTooLargeError } from '../../events/errors/workspace.ts'

export interface InputLimits {
  /** Of all inputs of a task together; what git keeps of a repository counts, here and in `files`. 100 MB unless told. */
  readonly bytes: number
  /** Of all inputs together. 10,000 unless told; there may be as many folders and links besides. */
  readonly files: number
  /** Milliseconds for one clone. 120,000 unless told. */
  readonly cloneMs: number
}

export const DEFAULT_INPUT_LIMITS: InputLimits = { bytes: 100_000_000, files: 10_000, cloneMs: 120_000 }

/** Each level keeps a descriptor open while it is read. */
const DEEPEST = 100

/** Takes from what is left, or throws {@link InputTooLargeError} for the source that wanted it. */
export interface InputAllowance {
  readonly limits: InputLimits
  bytesLeft(): number
  filesLeft(): number
  takeBytes(count: number, source: string): void
  takeFile(source: string): void
  /** A folder, or something that is left out: to look at it is work too. */
  takeEntry(source: string): void
  /** There is more than can be counted. */
  refuse(source: string): never
  checkDepth(depth: number, source: string): void
}

export function inputBudget(limits: InputLimits): InputAllowance {
  let bytes = 0
  let files = 0
  let entries = 0
  return {
    limits,
    bytesLeft: () => limits.bytes - bytes,
    filesLeft: () => limits.files - files,
    takeBytes(count, source) {
      bytes += count
      if (bytes > limits.bytes) {
        throw new InputTooLargeError({ source, limitedBy: 'bytes', limit: limits.bytes })
      }
    },
    takeFile(source) {
      files += 1
      if (files > limits.files) {
        throw new InputTooLargeError({ source, limitedBy: 'files', limit: limits.files })
      }
    },
    takeEntry(source) {
      entries += 1
      if (entries > limits.files) {
        throw new InputTooLargeError({ source, limitedBy: 'entries', limit: limits.files })
      }
    },
    refuse(source) {
      throw new InputTooLargeError({ source, limitedBy: 'files', limit: limits.files })
    },
    checkDepth(depth, source) {
      if (depth > DEEPEST) throw new InputTooLargeError({ source, limitedBy: 'depth', limit: DEEPEST })
    },
  }
}
