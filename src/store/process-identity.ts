/** The identity of a process, such that a later process with the same pid is not mistaken for it. */
import { readFileSync } from 'node:fs'

export interface HostProcess {
  readonly pid: number
  /** Its start time in ticks since boot, and the boot id; null on systems that do not expose them. */
  readonly started: string | null
}

export const thisProcess = (): HostProcess => ({ pid: process.pid, started: startOf(process.pid) })

export function isAlive({ pid, started }: HostProcess): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    // EPERM: the process exists and belongs to another user.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false
  }
  return !isZombie(pid) && (started === null || started === startOf(pid))
}

/** Dead with all files closed, but not yet reaped by its parent. In containers it may never be. */
function isZombie(pid: number): boolean {
  const fields = fieldsOf(pid)
  // While other threads are still exiting, their files are open.
  return fields?.[0] === 'Z' && Number(fields[17]) <= 1
}

/** The fields of `/proc/<pid>/stat` from the process state on; null if they cannot be read. */
function fieldsOf(pid: number): readonly string[] | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The second field is the program's name in parentheses, which may itself contain spaces and parentheses.
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
