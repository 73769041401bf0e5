/** Where a call's process writes: files in the agent's home, which neither side can hold up or lose.
 *
 * Not pipes: 2.1.197 ends without having written all of a long answer when a pipe is read too slowly (measured: of
 * 8.6 MB between 3 and 5 arrived), a tool left behind holds a pipe open, and what a call says after we were killed
 * would be lost. From a file the next process of ours can still read it. */
import { type FileHandle, mkdir, open, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Redact } from '../../events/redaction.ts'

export interface OutputFiles {
  readonly stdout: string
  readonly stderr: string
}

const callsDirectory = (home: string) => join(home, 'calls')

export function outputFiles(home: string, callId: string): OutputFiles {
  // A call id comes from a log, and a name in it is ours: but never let one lead out of the directory.
  const name = join(callsDirectory(home), callId.replace(/[^\w-]/g, '_'))
  return { stdout: `${name}.stdout`, stderr: `${name}.stderr` }
}

export interface OpenOutput extends AsyncDisposable {
  readonly stdout: FileHandle
  readonly stderr: FileHandle
}

/**
 * Opens both, empty, for a process to write to. What earlier calls of the agent have left is gone: they have been
 * settled by now, as an agent does one thing at a time.
 */
export async function openOutput(home: string, files: OutputFiles): Promise<OpenOutput> {
  await rm(callsDirectory(home), { recursive: true, force: true })
  await mkdir(callsDirectory(home), { recursive: true, mode: 0o700 })
  const stdout = await open(files.stdout, 'wx', 0o600)
  const stderr = await open(files.stderr, 'wx', 0o600)
  return {
    stdout,
    stderr,
    async [Symbol.asyncDispose]() {
      await Promise.all([stdout.close(), stderr.close()])
    },
  }
}

const TAIL = 16 * 1024
const HEAD = 64 * 1024

/** The end of what it wrote to stderr; nothing when that is not to be had. */
export async function readStderr({ stderr }: OutputFiles): Promise<string> {
  const end = await readPart(stderr, (size) => Math.max(0, size - TAIL), TAIL)
  if (Buffer.byteLength(end) < TAIL) return end
  // It begins somewhere in a line, perhaps in a key, of which half would not be known as one.
  const line = end.indexOf('\n')
  return end.slice(line === -1 ? TAIL / 4 : line + 1)
}

/**
 * Makes what a call has printed fit to be kept until the next one: of stderr the end, without secrets, and of an output
 * that was too large the beginning, which still tells whether a request was sent.
 */
export async function tidyOutput(
  files: OutputFiles,
  { redact, isTooLarge }: { readonly redact: Redact; readonly isTooLarge: boolean },
): Promise<void> {
  await replace(files.stderr, redact(await readStderr(files)))
  if (!isTooLarge) return
  const head = await readPart(files.stdout, () => 0, HEAD)
  await replace(files.stdout, head)
}

async function readPart(path: string, start: (size: number) => number, length: number): Promise<string> {
  try {
    await using file = await open(path)
    const { size } = await file.stat()
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, start(size))
    return buffer.toString('utf8', 0, bytesRead)
  } catch {
    return ''
  }
}

/** By a new file in its place: what lies there now may be a link that a tool has put there. */
async function replace(path: string, text: string): Promise<void> {
  const draft = `${path}.tidy`
  try {
    await rm(draft, { force: true })
    await writeFile(draft, text, { mode: 0o600, flag: 'wx' })
    await rename(draft, path)
  } catch {
    // Rather nothing than what must not be kept.
    await Promise.allSettled([rm(path, { force: true }), rm(draft, { force: true })])
  }
}
