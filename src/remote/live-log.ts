/**
 * A log that is looked at from outside for as long as one likes, whoever has it open meanwhile. The store is opened here
 * only where nobody else has it, and only for a moment: whoever wants to work on it must never find it in use by a reader.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Recorded } from '../events/envelope.ts'
import { OwnerUnavailable } from '../events/errors/owner.ts'
import { StoreInUse } from '../events/errors/store.ts'
import type { EventStore } from '../store/event-store.ts'
import type { ChainedStore } from '../store/level/chained-store.ts'
import { storePaths } from '../store/level/directory.ts'
import { readHeadFile } from '../store/level/head-file.ts'
import { type LevelStoreOptions, levelStore } from '../store/level/store.ts'
import { connectOwner } from './client.ts'
import { remoteStore } from './store.ts'

/** How often is looked for a process that has opened the store. */
const LOOK_AGAIN_MS = 200
/** A service that is started again has its store in that time, and is not got in the way of. */
const NEXT_OWNER_MS = 1000
const PATIENCE_MS = 2000

/** A store, through its owner or opened here; dispose of it as soon as it is not needed. */
export async function openLog(
  baseDir: string,
  options: LevelStoreOptions = {},
): Promise<{ readonly store: ChainedStore; readonly owner: number | null }> {
  for (let left = PATIENCE_MS; ; left -= LOOK_AGAIN_MS / 4) {
    const client = await connectOwner(baseDir)
    if (client) return { store: remoteStore(client), owner: client.pid }
    try {
      return { store: await levelStore(baseDir, options), owner: null }
    } catch (error) {
      if (!(error instanceof StoreInUse) || left <= 0) throw error
    }
    await delay(LOOK_AGAIN_MS / 4)
  }
}

export interface LiveOptions {
  readonly after: number
  readonly signal: AbortSignal
  /** Called when the process that has the store open changes; null when it was closed, or has ended. */
  readonly onOwner?: (pid: number | null) => void
}

/** What is written after a position, by whichever process has the store then. Ends when the signal aborts. */
export async function* followLog(
  baseDir: string,
  { after, signal, onOwner = () => {} }: LiveOptions,
): AsyncGenerator<Recorded> {
  let position = after
  let owner: number | null | undefined
  let alone = 0
  while (!signal.aborted) {
    const client = await connectOwner(baseDir)
    if (owner !== (client?.pid ?? null)) onOwner(client?.pid ?? null)
    owner = client?.pid ?? null
    alone = client ? 0 : alone + LOOK_AGAIN_MS
    try {
      const facts = client
        ? remoteStore(client).follow({ after: position, signal })
        : leftAfter(baseDir, position, alone > NEXT_OWNER_MS)
      for await (const recorded of facts) {
        position = recorded.position
        yield recorded
      }
    } catch (error) {
      // Whoever has it now is looked for again.
      if (!(error instanceof OwnerUnavailable || error instanceof StoreInUse)) throw error
    } finally {
      client?.close()
    }
    await delay(LOOK_AGAIN_MS, undefined, { signal }).catch(() => {})
  }
}

/** What an owner that has ended had written, and nobody was shown. */
async function* leftAfter(baseDir: string, after: number, isTime: boolean): AsyncGenerator<Recorded> {
  if (!isTime || (await writtenUpTo(baseDir)) <= after) return
  await using store = await levelStore(baseDir)
  yield* store.readAll({ after })
}

/** The last position of the log, as its owner has noted it beside the log. */
export async function writtenUpTo(baseDir: string): Promise<number> {
  return (await readHeadFile(storePaths(baseDir).head, baseDir))?.position ?? 0
}

/** A reader looks at so many facts first, and at four times as many each time when these are not enough. */
const WINDOW = 1000

/** After which position the last `count` facts begin that are as wanted. */
export async function lastMatching(
  store: EventStore,
  count: number,
  isWanted: (recorded: Recorded) => boolean,
): Promise<number> {
  const head = await store.head()
  for (let window = WINDOW; ; window *= 4) {
    const from = Math.max(0, head - window)
    const found: number[] = []
    for await (const recorded of store.readAll({ after: from, to: head }))
      if (isWanted(recorded)) found.push(recorded.position)
    const first = found.at(-count)
    if (count === 0) return head
    if (first !== undefined) return first - 1
    if (from === 0) return 0
  }
}
