/**
 * Where a process runs: the machine, and the home of its base directory. Each is known by a random id: the machine's is kept
 * with the user, the home's in the base directory. A log that is opened somewhere else finds other ids.
 */
import { randomUUID } from 'node:crypto'
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { homedir } from 'node:os'
import { dirname, isAbsolute, join } from 'node:path'

/** null: not known. */
export interface Place {
  readonly machine: string | null
  readonly home: string | null
}

type Environment = Readonly<Record<string, string | undefined>>

/** Where the user keeps what programs remember: `$XDG_STATE_HOME`, or what stands for it. */
export function userStateDirectory(environment: Environment): string {
  const { HOME: home = '', XDG_STATE_HOME: state = '', LOCALAPPDATA: local = '' } = environment
  if (isAbsolute(state)) return join(state, 'claude-agents')
  const isWindows = process.platform === 'win32' && isAbsolute(local)
  return join(isWindows ? local : join(home || homedir(), '.local', 'state'), 'claude-agents')
}

/** The place of this process. A base directory that does not exist holds nothing to come back to. */
export function thisPlace(baseDir: string, environment: Environment = process.env): Place {
  if (!existsSync(baseDir)) return NOWHERE
  return {
    machine: keptId(join(userStateDirectory(environment), 'machine-id')),
    home: keptId(join(baseDir, 'home-id')),
  }
}

const NOWHERE: Place = { machine: null, home: null }

/** Finds that place out when it is first asked for, and again until it is known. */
export function placeFinder(baseDir: string): () => Place {
  let place = NOWHERE
  return () => {
    if (place.machine === null || place.home === null) place = thisPlace(baseDir)
    return place
  }
}

/** Whether what was started there has left nothing here. What an older log does not tell counts as here. */
export const isElsewhere = ({ machine, home }: Partial<Place>, here: Place): boolean =>
  (machine ?? here.machine) !== here.machine || (home ?? here.home) !== here.home

const ID = /^[0-9a-f-]{36}\n$/

/** The id in a file, which is created if there is none; null if it cannot be read or written. */
function keptId(path: string): string | null {
  try {
    if (!existsSync(path)) createId(path)
    const text = readId(path)
    return ID.test(text) ? text.trim() : null
  } catch {
    return null
  }
}

/** An agent can make a pipe or a link of it: neither is waited for, nor followed. */
function readId(path: string): string {
  const { O_RDONLY, O_NONBLOCK = 0, O_NOFOLLOW = 0 } = constants
  const file = openSync(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW)
  try {
    return fstatSync(file).isFile() ? readFileSync(file, 'utf8') : ''
  } finally {
    closeSync(file)
  }
}

/** It gets its name with its content, so that two processes agree on one. */
function createId(path: string): void {
  const id = randomUUID()
  const unfinished = `${path}.${id}.unfinished`
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  writeFileSync(unfinished, `${id}\n`, { flag: 'wx', mode: 0o600 })
  try {
    linkSync(unfinished, path)
  } catch (error) {
    if (!existsSync(path)) throw error
  } finally {
    rmSync(unfinished, { force: true })
  }
}
