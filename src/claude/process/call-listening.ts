/** Hears what the process of a call prints, as it comes, as long as it keeps within the limits. */
import type { Clock } from '../../clock.ts'
import { ClaudeExecutionError, CliCrashedError, type OutputTooLargeError } from '../../events/errors/call.ts'
import { followFile, limitSize } from '../stream/file-follower.ts'
import { lineSplitter, type OutputLimits, outputTooLarge } from '../stream/line-splitter.ts'
import type { OutputFiles } from './call-output.ts'

export interface Hearing {
  readonly clock: Clock
  readonly limits: OutputLimits
  /** Aborts when nothing more will be printed. */
  readonly complete: AbortSignal
  readonly hear: (lines: readonly string[]) => void
  /** Told that it prints too much, or that it cannot be heard. */
  readonly fail: (error: ClaudeExecutionError) => void
}

/** Resolves when all was heard, or no more will be. Never rejects. */
export async function listen(
  output: OutputFiles,
  { clock, limits, complete, hear, fail }: Hearing,
): Promise<void> {
  const lines = lineSplitter(limits)
  let excess: OutputTooLargeError | null = null
  // The reader may be behind, and what goes to stderr is not read at all: the files are what fills the disk.
  const exceeded = () => {
    excess = outputTooLarge('the output', limits.callBytes)
    fail(excess)
  }
  using _stdout = limitSize(output.stdout, limits.callBytes, exceeded)
  using _stderr = limitSize(output.stderr, limits.callBytes, exceeded)
  const take = (found: readonly string[]) => {
    if (excess !== null) throw excess
    if (found.length > 0) hear(found)
  }
  try {
    await followFile(output.stdout, { clock, complete, hear: (chunk) => take(lines.push(chunk)) })
    take(lines.end())
  } catch (cause) {
    const isKnown = cause instanceof ClaudeExecutionError
    fail(isKnown ? cause : new CliCrashedError({ said: `its output cannot be read: ${cause}` }, { cause }))
  }
}
