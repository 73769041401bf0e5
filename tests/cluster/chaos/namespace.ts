/** A network namespace as another machine: it reaches this one over a link that can be cut. Needs root and `ip`. */
import { execFileSync } from 'node:child_process'
import { isRunning } from './running.ts'

export interface Away {
  /** The address of this side, and of the other one. */
  readonly here: string
  readonly there: string
  /** The words before a command that runs there. */
  readonly prefix: readonly string[]
  cut(): void
  mend(): void
  remove(): void
}

const ip = (...words: readonly string[]) =>
  execFileSync('ip', words, { stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8' })

/** Why there can be none; undefined if there can. */
export function whyNoNamespace(): string | undefined {
  if (process.getuid?.() !== 0) return 'only root can make a network namespace'
  try {
    ip('netns', 'list')
    return undefined
  } catch {
    return 'the command ip is missing (apt-get install iproute2)'
  }
}

/** Removes those of runs that were killed. Their links end with them. */
function removeLeft(): void {
  for (const [name, pid] of ip('netns', 'list').matchAll(/^agents-(\d+)/gm))
    if (!isRunning(Number(pid))) ip('netns', 'delete', name)
}

/** One at a time for this process. */
export function awayNamespace(): Away {
  removeLeft()
  const name = `agents-${process.pid}`
  const [near, far] = [`an${process.pid}`, `af${process.pid}`]
  const net = `10.${100 + (process.pid % 100)}.${(process.pid >> 7) % 250}`
  const [here, there] = [`${net}.1`, `${net}.2`]
  const inside = ['netns', 'exec', name, 'ip']
  ip('netns', 'add', name)
  ip('link', 'add', near, 'type', 'veth', 'peer', 'name', far, 'netns', name)
  ip('address', 'add', `${here}/24`, 'dev', near)
  ip('link', 'set', near, 'up')
  ip(...inside, 'address', 'add', `${there}/24`, 'dev', far)
  ip(...inside, 'link', 'set', far, 'up')
  ip(...inside, 'link', 'set', 'lo', 'up')
  return {
    here,
    there,
    prefix: ['ip', 'netns', 'exec', name],
    cut: () => void ip('link', 'set', near, 'down'),
    mend: () => void ip('link', 'set', near, 'up'),
    remove: () => void ip('netns', 'delete', name),
  }
}
