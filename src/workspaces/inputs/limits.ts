/** Limits how much input a task may bring, and counts what has been taken. */
import { InputTooLargeError } from '../../events/errors/workspace.ts'
import { defined } from '../../events/json.ts'
import { LIMITS, type Limits } from '../../events/options/limits.ts'

export interface InputLimits {
  /** Of all inputs of a task together, including git's own files, here and in `files`. Default: 100 MB. */
  readonly bytes: number
  /** Of all inputs together. Default: 10,000, plus as many folders and links. */
  readonly files: number
  /** Milliseconds for one clone. Default: 120,000. */
  readonly cloneMs: number
}

export const DEFAULT_INPUT_LIMITS: InputLimits = {
  bytes: LIMITS.inputBytes.fallback,
  files: LIMITS.inputFiles.fallback,
  cloneMs: LIMITS.cloneSeconds.fallback * 1000,
}

/** The limits that an orchestrator was given. */
export const inputLimits = ({ inputBytes, inputFiles, cloneSeconds }: Limits): Partial<InputLimits> =>
  defined({
    bytes: inputBytes,
    files: inputFiles,
    cloneMs: cloneSeconds === undefined ? undefined : cloneSeconds * 1000,
  })

/** Each level keeps a descriptor open while it is read. */
const DEEPEST = 100

/** What is left of the limits. Taking more throws {@link InputTooLargeError} for the source. */
export interface InputAllowance {
  readonly limits: InputLimits
  bytesLeft(): number
  filesLeft(): number
  takeBytes(count: number, source: string): void
  takeFile(source: string): void
  /** A folder, or a skipped entry: looking at it is work too. */
  takeEntry(source: string): void
  /** Throws for a source with more entries than can be counted. */
  refuse(source: string): never
  checkDepth(depth: number, source: string): void
}

export function inputAllowance(limits: InputLimits): InputAllowance {
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
