/** The file that gets the log: appended to, a line of JSON at a time, and never anything else than a log of ours. */
import { appendFileSync, closeSync, constants, fstatSync, openSync, readSync, realpathSync } from 'node:fs'
import { basename, dirname, isAbsolute, join, relative } from 'node:path'
import type { Config } from '../config/configuration.ts'
import { InvalidInputError } from '../events/errors/usage.ts'

const { O_RDWR, O_APPEND, O_CREAT, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants
/** How each line begins. */
const BEGINNING = '{"level":"'

/**
 * Appends a line; the file is opened for each, so that the system can rotate it. A file that the user names himself is
 * taken as it is. One that a configuration file names must lie in the folder of that, through no link, and be a log if
 * there is anything in it: the configuration may have come with a repository, and is not to write to other files.
 *
 * @throws InvalidInputError when the file cannot be written, or is not to be
 */
export function logFile(path: string, { file, settings }: Pick<Config, 'file' | 'settings'>) {
  const isOfFile = settings.some(({ key, from }) => key === 'logging.file' && from === 'file')
  if (isOfFile && file !== null) checkPlace(path, dirname(file))
  const flags = isOfFile ? O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK : 'a'
  const withFile = (use: (opened: number) => void) => {
    const opened = openSync(path, flags, 0o600)
    try {
      use(opened)
    } finally {
      closeSync(opened)
    }
  }
  try {
    withFile((opened) => isOfFile && checkLog(path, opened))
  } catch (cause) {
    if (cause instanceof InvalidInputError) throw cause
    throw refused(`${path} cannot be written (${(cause as NodeJS.ErrnoException).code})`, cause)
  }
  return (line: string) => withFile((opened) => appendFileSync(opened, `${line}\n`))
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
    throw refused(`${path} lies outside of ${folder}, where the configuration file is`)
}

function checkLog(path: string, opened: number): void {
  if (!fstatSync(opened).isFile()) throw refused(`${path} is not a file`)
  const beginning = Buffer.alloc(BEGINNING.length)
  const bytes = readSync(opened, beginning, 0, BEGINNING.length, 0)
  if (bytes > 0 && beginning.toString('latin1', 0, bytes) !== BEGINNING)
    throw refused(`${path} is there already, and is not a log of claude-agents`)
}

function refused(problem: string, cause?: unknown): InvalidInputError {
  const hint =
    'Name another file. You yourself can name any: --set logging.file=FILE, or CLAUDE_AGENTS_LOG_FILE.'
  return new InvalidInputError({ what: 'logging.file', problem, hint }, cause === undefined ? {} : { cause })
}
