/** The file that receives the log: a line of JSON at a time, appended only to a log of ours. */
import {
  accessSync,
  appendFileSync,
  closeSync,
  constants,
  fstatSync,
  openSync,
  readSync,
  realpathSync,
} from 'node:fs'
import { basename, dirname, isAbsolute, join, relative } from 'node:path'
import type { Config } from '../config/configuration.ts'
import { InvalidInputError } from '../events/errors/usage.ts'

const { O_RDWR, O_WRONLY, O_APPEND, O_CREAT, O_NOFOLLOW = 0, O_NONBLOCK = 0, W_OK } = constants
/** How each line begins. */
const BEGINNING = '{"level":"'

/**
 * Returns a function that appends a line; the file is opened for each, so that the system can rotate it. A file that the
 * user names directly is taken as it is. A file that a configuration file names must lie in that file's folder, through
 * no link, and be empty or a log: the configuration may have come with a repository, and must not write to other files.
 *
 * @throws InvalidInputError when the file cannot be written, or must not be
 */
export function logFile(path: string, { file, settings }: Pick<Config, 'file' | 'settings'>) {
  const isFromFile = settings.some(({ key, from }) => key === 'logging.file' && from === 'file')
  if (isFromFile && file !== null) checkPlace(path, dirname(file))
  // A pipe without a reader must not stop the process.
  const flags = O_APPEND | O_NONBLOCK | (isFromFile ? O_RDWR | O_NOFOLLOW : O_WRONLY)
  const withFile = (create: number, use: (descriptor: number) => void) => {
    const descriptor = openSync(path, flags | create, 0o600)
    try {
      use(descriptor)
    } finally {
      closeSync(descriptor)
    }
  }
  const append = (line: string) => withFile(O_CREAT, (descriptor) => appendFileSync(descriptor, `${line}\n`))
  try {
    withFile(0, (descriptor) => isFromFile && checkLog(path, descriptor))
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT' && canBeMade(path)) return append
    if (cause instanceof InvalidInputError) throw cause
    throw refused(`${path} cannot be written (${(cause as NodeJS.ErrnoException).code})`, cause)
  }
  return append
}

/** Made with the first line: a command with nothing to log writes nothing. */
function canBeMade(path: string): boolean {
  try {
    accessSync(dirname(path), W_OK)
    return true
  } catch {
    return false
  }
}

function checkPlace(path: string, folder: string): void {
  let place: string
  try {
    place = join(realpathSync(dirname(path)), basename(path))
  } catch (cause) {
    throw refused(`${path} cannot be written (${(cause as NodeJS.ErrnoException).code})`, cause)
  }
  const way = relative(realpathSync(folder), place)
  if (way.startsWith('..') || isAbsolute(way))
    throw refused(`${path} lies outside ${folder}, the folder of the configuration file`)
}

function checkLog(path: string, descriptor: number): void {
  if (!fstatSync(descriptor).isFile()) throw refused(`${path} is not a file`)
  const beginning = Buffer.alloc(BEGINNING.length)
  const length = readSync(descriptor, beginning, 0, BEGINNING.length, 0)
  if (length > 0 && beginning.toString('latin1', 0, length) !== BEGINNING)
    throw refused(`${path} already exists and is not a log of claude-agents`)
}

function refused(problem: string, cause?: unknown): InvalidInputError {
  const hint =
    'Name another file, or allow this one yourself: --set logging.file=FILE, or CLAUDE_AGENTS_LOG_FILE.'
  return new InvalidInputError({ what: 'logging.file', problem, hint }, cause === undefined ? {} : { cause })
}
