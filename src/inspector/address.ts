/**
 * The address of the inspector of a base directory: the same port and key each time, so that bookmarks and open pages stay
 * good. It is kept with the user, where only they can read it.
 */
import { createHash, randomInt } from 'node:crypto'
import { chmod, mkdir, readFile, realpath, rename, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { PortUnavailableError } from '../events/errors/inspector.ts'
import type { EventStore } from '../store/event-store.ts'
import { userStateDirectory } from '../workspaces/place.ts'
import { type Inspector, type InspectorOptions, inspector } from './inspector.ts'
import { newToken } from './server.ts'

interface Address {
  readonly port: number
  readonly token: string
}

export interface AddressOptions extends Omit<InspectorOptions, 'token'> {
  /** Whether to renew the key. Default: false. */
  readonly newKey?: boolean
}

/**
 * Serves the inspector of a base directory at its address; at another port if that one is taken.
 *
 * @throws PortUnavailableError for a port that was asked for
 */
export async function inspectorAt(
  inspected: { readonly store: EventStore; readonly baseDir: string },
  { port, newKey = false, ...options }: AddressOptions = {},
): Promise<Inspector> {
  const file = await addressFile(inspected.baseDir)
  const kept = await keptAddress(file)
  const token = newKey || kept === null ? newToken() : kept.token
  const usual = kept?.port ?? randomInt(...PORTS)
  const serve = (at: number) => inspector(inspected, { ...options, port: at, token })
  const serving =
    port !== undefined
      ? await serve(port)
      : await serve(usual).catch((error: unknown) => {
          if (error instanceof PortUnavailableError) return serve(0)
          throw error
        })
  const address = { port: kept?.port ?? Number(new URL(serving.url).port), token }
  // Without a place to keep it, it is another one next time.
  if (kept?.token !== token) await keep(file, address).catch(() => {})
  return serving
}

/** Below those that the system gives to outgoing connections, which could be in use at any time. */
const PORTS = [20_000, 32_000] as const

async function addressFile(baseDir: string): Promise<string> {
  const place = createHash('sha256')
    .update(await realpath(baseDir).catch(() => baseDir))
    .digest('hex')
  return join(userStateDirectory(process.env), 'inspector', `${place.slice(0, 32)}.json`)
}

/** null if there is none, or one that was changed by hand. */
async function keptAddress(file: string): Promise<Address | null> {
  try {
    const { port, token } = JSON.parse(await readFile(file, 'utf8')) as Address
    const isGood = Number.isSafeInteger(port) && port > 0 && port < 65_536 && /^[\w-]{43}$/.test(token)
    return isGood ? { port, token } : null
  } catch {
    return null
  }
}

async function keep(file: string, address: Address): Promise<void> {
  const folder = dirname(file)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  await chmod(folder, 0o700)
  const unfinished = `${file}.${process.pid}.unfinished`
  await writeFile(unfinished, `${JSON.stringify(address)}\n`, { mode: 0o600, flag: 'w' })
  await rename(unfinished, file)
}
