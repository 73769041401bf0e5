/** Text that was piped into a command: it becomes the text input of its task. */
import { fstatSync } from 'node:fs'
import type { Readable } from 'node:stream'
import { type Clock, pause, systemClock } from '../clock.ts'
import { InvalidInputError } from '../events/errors/usage.ts'
import { plural } from '../events/figures.ts'
import { LARGEST_PROMPT, promptTooLarge } from '../events/task-input.ts'

/** How long to wait for the first byte: a program that starts the command may leave a pipe open and write nothing. */
const PATIENCE_MS = 3000

interface StandardInput {
  readonly stream: Readable
  readonly clock: Clock
}

/**
 * What stands on stdin where it is a pipe or a file; undefined where there is nothing. A pipe in which nothing arrives for
 * 3 s is left alone. `note` says so, or how much was read.
 *
 * @throws InvalidInputError if it is more than a prompt may be
 */
export async function pipedText(
  note: (text: string) => void,
  { stream, clock }: StandardInput = { stream: process.stdin, clock: systemClock },
): Promise<string | undefined> {
  if (stream === process.stdin && !isPiped()) return undefined
  const arrival = new AbortController()
  const arrived = () => arrival.abort()
  for (const event of ['readable', 'end', 'error']) stream.once(event, arrived)
  await pause(clock, PATIENCE_MS, arrival.signal)
  for (const event of ['readable', 'end', 'error']) stream.off(event, arrived)
  if (!arrival.signal.aborted) {
    stream.destroy()
    note(
      'stdin is not part of the task: nothing arrived in its pipe for 3 s. To wait until it ends: --text -',
    )
    return undefined
  }
  const text = await readAll(stream, 'stdin')
  if (text === '') return undefined
  const bytes = Buffer.byteLength(text)
  note(`Read ${plural(bytes, 'byte')} from stdin as part of the task. To keep stdin out: </dev/null`)
  return text
}

/** All of stdin, for a `-` in place of a text or a file. Throws InvalidInputError if it is more than a prompt may be. */
export const standardInput = (): Promise<string> => readAll(process.stdin, 'stdin')

/** A whole text for a prompt, read no further than a prompt may be. */
export async function readAll(stream: Readable, what: string): Promise<string> {
  const pieces: Buffer[] = []
  let bytes = 0
  for await (const piece of stream) {
    const buffer = Buffer.from(piece)
    bytes += buffer.length
    if (bytes > LARGEST_PROMPT) throw new InvalidInputError({ what, ...promptTooLarge })
    pieces.push(buffer)
  }
  return Buffer.concat(pieces).toString('utf8')
}

function isPiped(): boolean {
  try {
    const found = fstatSync(0)
    return found.isFIFO() || found.isSocket() || found.isFile()
  } catch {
    // The parent process has closed it.
    return false
  }
}
