/** Whether a git is at work in some directories, also one that a user has started: it may hold what is locked there. */
import { readdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs'
import { resolve } from 'node:path'
import { codeOf } from '../../events/errors/phrases.ts'

/** How git is told to work elsewhere than where it runs: by an option, with its value in it or after it, or by a variable. */
const ELSEWHERE = /^(?:--git-dir|--work-tree|GIT_DIR|GIT_WORK_TREE|GIT_COMMON_DIR)(?:=|$)/

/**
 * null where that cannot be told: the system does not show it, or not of other users.
 *
 * @param base What runs in there does not count, although it may be inside of them.
 */
export function isGitAtWork(directories: readonly string[], base: string): boolean | null {
  if (process.platform !== 'linux') return null
  const isIn = (at: string, directory: string) => `${at}/`.startsWith(`${directory}/`)
  let isHidden = false
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    const read = (name: string) => readFileSync(`/proc/${pid}/${name}`, 'utf8')
    try {
      if (!read('comm').startsWith('git')) continue
      const cwd = readlinkSync(`/proc/${pid}/cwd`)
      if (isIn(cwd, base)) continue
      const said = [...read('cmdline').split('\0'), ...read('environ').split('\0')]
      const named = said.flatMap((word, at) =>
        ELSEWHERE.test(word) ? [real(resolve(cwd, word.split(/=(.*)/s)[1] ?? said[at + 1] ?? ''))] : [],
      )
      if (directories.some((directory) => [cwd, ...named].some((at) => isIn(at, directory)))) return true
    } catch (error) {
      // One that has ended is at no work.
      isHidden ||= !['ENOENT', 'ESRCH'].includes(codeOf(error))
    }
  }
  return isHidden ? null : false
}

/** Without links, as far as it exists. */
function real(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}
