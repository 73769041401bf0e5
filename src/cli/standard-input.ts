/** Text that was piped into a command: it becomes the text input of its task. */
import { fstatSync } from 'node:fs'
import type { Readable } from 'node:stream'
import { text as readAll } from 'node:stream/consumers'
import { type Clock, pause, systemClock } from '../clock.ts'
import { plural } from '../events/figures.ts'

/** How long to wait for the first byte: a program that starts the command may leave a pipe open and write nothing. */
const PATIENCE_MS = 3000

interface StandardInput {
  readonly stream: Readable
  readonly clock: Clock
}

/**
 * What stands on stdin where it is a pipe or a file; undefined where there is nothing. A pipe in which nothing arrives for
 * 3 s is left alone. `note` says so, or how much was read.
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
    note('Nothing arrived on stdin within 3 s, so it is not read. To wait for it: --text -')
    return undefined
  }
  const text = await readAll(stream)
  if (text === '') return undefined
  const bytes = Buffer.byteLength(text)
  note(`Read ${plural(bytes, 'byte')} from stdin as part of the task. To keep stdin out: </dev/null`)
  return text
}

/** All of stdin, for a `-` in place of a text or a file. */
export const standardInput = (): Promise<string> => readAll(process.stdin)

function isPiped(): boolean {
  try {
    const found = fstatSync(0)
    return found.isFIFO() || found.isSocket() || found.isFile()
  } catch {
    // The parent process has closed it.
    return false
  }
}
