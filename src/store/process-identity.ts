/** The identity of a process, such that a later process with the same pid is not mistaken for it. */
import { readFileSync, readlinkSync } from 'node:fs'

export interface HostProcess {
  readonly pid: number
  /** Its start time in ticks since boot, and the boot id; null on systems that do not expose them. */
  readonly started: string | null
  /** The namespace in which its pid means something; null on systems without, and in records of older versions. */
  readonly pidNamespace: string | null
}

/** `unknown`: its pid means nothing here, because it runs in another pid namespace (another container). */
export type Liveness = 'alive' | 'dead' | 'unknown'

export const thisProcess = (): HostProcess => hostProcess(process.pid)

/** A process of this machine that is running now. */
export const hostProcess = (pid: number): HostProcess => ({
  pid,
  started: startOf(pid),
  pidNamespace: namespaceOf('pid'),
})

/** The namespace of a kind that this process is in; null on systems without. */
export function namespaceOf(kind: 'pid' | 'net'): string | null {
  try {
    return readlinkSync(`/proc/self/ns/${kind}`)
  } catch {
    return null
  }
}

export function livenessOf({ pid, started, pidNamespace }: HostProcess): Liveness {
  const boot = bootOf(started)
  if (boot !== null && boot !== bootId()) return 'dead'
  if (pidNamespace !== null && pidNamespace !== namespaceOf('pid')) return 'unknown'
  try {
    process.kill(pid, 0)
  } catch (error) {
    // EPERM: the process exists and belongs to another user.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return 'dead'
  }
  return !isZombie(pid) && (started === null || started === startOf(pid)) ? 'alive' : 'dead'
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
  const boot = bootId()
  return startTime === undefined || boot === null ? null : `${startTime} ${boot}`
}

const bootOf = (started: string | null) => started?.split(' ')[1] ?? null

function bootId(): string | null {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    return null
  }
}
