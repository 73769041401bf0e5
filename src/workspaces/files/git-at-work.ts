/** Whether a git is at work in some directories. It may hold what is locked there. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { codeOf } from '../../events/errors/phrases.ts'

/**
 * null where that cannot be told: the system does not show it, or not of other users.
 *
 * @param base What is at work in there does not count, although it may be inside of them.
 */
export function isGitAtWork(directories: readonly string[], base: string): boolean | null {
  if (process.platform !== 'linux') return null
  let isHidden = false
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      if (!readFileSync(`/proc/${pid}/comm`, 'utf8').startsWith('git')) continue
      const at = `${readlinkSync(`/proc/${pid}/cwd`)}/`
      const isIn = (directory: string) => at.startsWith(`${directory}/`)
      if (directories.some(isIn) && !isIn(base)) return true
    } catch (error) {
      // One that has ended is at no work.
      isHidden ||= !['ENOENT', 'ESRCH'].includes(codeOf(error))
    }
  }
  return isHidden ? null : false
}
