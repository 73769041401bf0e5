/**
 * A hold on a directory that the kernel keeps, not a file: an abstract unix socket named after the directory's device and
 * inode. Nobody can remove it, it is the same in every pid namespace and through every link, and the kernel lets go of it
 * when its process ends. Only Linux has such names, and each network namespace has its own (decision 17).
 */
import { once } from 'node:events'
import { connect, createServer, type Server } from 'node:net'

export interface KernelHold {
  release(): void
}

/** Holds a directory. `taken`: another process does; `unavailable`: this system offers no such hold. */
export async function holdInKernel(directory: string): Promise<KernelHold | 'taken' | 'unavailable'> {
  if (process.platform !== 'linux') return 'unavailable'
  const server = createServer((connection) => connection.destroy())
  try {
    // Exclusive: the workers of a cluster would share it.
    server.listen({ path: nameFor(directory), exclusive: true })
    await once(server, 'listening')
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EADDRINUSE' ? 'taken' : 'unavailable'
  }
  return holdOf(server)
}

function holdOf(server: Server): KernelHold {
  server.on('error', () => {})
  server.unref()
  return { release: () => void server.close() }
}

/** Whether a process of this network namespace holds a directory. */
export const isHeldInKernel = async (directory: string): Promise<boolean> =>
  process.platform === 'linux' && (await isListening(nameFor(directory)))

/** Whether a process listens at a unix socket: the kernel's word on whether it lives. In doubt it does. */
export function isListening(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    const answer = (isThere: boolean) => {
      socket.destroy()
      resolve(isThere)
    }
    socket.once('connect', () => answer(true))
    socket.once('error', ({ code }: NodeJS.ErrnoException) =>
      answer(code !== 'ECONNREFUSED' && code !== 'ENOENT'),
    )
  })
}

const nameFor = (directory: string) => `\0claude-agents-store-${directory}`
