/** Which process this is, told in a way that a later process with the same number cannot be mistaken for it. */
import { readFileSync } from 'node:fs'

export interface HostProcess {
  readonly pid: number
  /** When it was started, in ticks since boot, and the boot; null where the system does not tell. */
  readonly started: string | null
}

export const thisProcess = (): HostProcess => ({ pid: process.pid, started: startOf(process.pid) })

export function isAlive({ pid, started }: HostProcess): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    // EPERM: it is there, and somebody else's.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false
  }
  return !isZombie(pid) && (started === null || started === startOf(pid))
}

/** Killed, with nothing open any more, and only not collected by its parent: in containers that can last for ever. */
function isZombie(pid: number): boolean {
  const fields = fieldsOf(pid)
  // While other threads are still ending, what they have open is.
  return fields?.[0] === 'Z' && Number(fields[17]) <= 1
}

/** What the system tells of a process, from its state on; null where it does not. */
function fieldsOf(pid: number): readonly string[] | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The second field is the program's name in parentheses, which may hold blanks and parentheses of its own.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  } catch {
    return null
  }
}

function startOf(pid: number): string | null {
  const startTime = fieldsOf(pid)?.[19]
  if (startTime === undefined) return null
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    return `${startTime} ${boot}`
  } catch {
    return null
  }
}
