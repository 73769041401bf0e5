/**
 * Reading a log for any length of time while owners come and go. The store is opened here only while no other process
 * has it open, and only briefly: a process that wants to own it must never find it in use by a reader.
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
import { retryWhileInUse } from './retry.ts'
import { remoteStore } from './store.ts'

/** How often to look for a process that has opened the store. */
const POLL_MS = 200
/** A service that restarts reopens its store within this time, and must not be locked out of it. */
const RESTART_MS = 1000

/** Opens a log, through its owner or here. Dispose of it as soon as it is no longer needed. */
export function openLog(
  baseDir: string,
  options: LevelStoreOptions = {},
): Promise<{ readonly store: ChainedStore; readonly owner: number | null }> {
  return retryWhileInUse(async () => {
    const client = await connectOwner(baseDir)
    if (client) return { store: remoteStore(client), owner: client.pid }
    return { store: await levelStore(baseDir, options), owner: null }
  })
}

export interface LiveOptions {
  readonly after: number
  readonly signal: AbortSignal
  /** Called when another process becomes the owner; null when there is none any more. */
  readonly onOwner?: (pid: number | null) => void
}

/** Follows a log from a position, whichever process owns it. Ends when the signal aborts. */
export async function* followLog(
  baseDir: string,
  { after, signal, onOwner = () => {} }: LiveOptions,
): AsyncGenerator<Recorded> {
  let position = after
  let owner: number | null | undefined
  let unownedMs = 0
  while (!signal.aborted) {
    const client = await connectOwner(baseDir)
    if (owner !== (client?.pid ?? null)) onOwner(client?.pid ?? null)
    owner = client?.pid ?? null
    unownedMs = client ? 0 : unownedMs + POLL_MS
    try {
      const facts = client
        ? remoteStore(client).follow({ after: position, signal })
        : unownedMs > RESTART_MS
          ? unseen(baseDir, position)
          : []
      for await (const recorded of facts) {
        position = recorded.position
        yield recorded
      }
    } catch (error) {
      // The owner has changed: look for the new one.
      if (!(error instanceof OwnerUnavailable || error instanceof StoreInUse)) throw error
    } finally {
      client?.close()
    }
    await delay(POLL_MS, undefined, { signal }).catch(() => {})
  }
}

/** What the last owner wrote before it ended that was not seen through it. */
async function* unseen(baseDir: string, after: number): AsyncGenerator<Recorded> {
  if ((await recordedHead(baseDir)) <= after) return
  await using store = await levelStore(baseDir)
  yield* store.readAll({ after })
}

/** The last position of the log according to its `head` file: no need to open the store. */
export async function recordedHead(baseDir: string): Promise<number> {
  return (await readHeadFile(storePaths(baseDir).head, baseDir))?.position ?? 0
}

/** The search reads this many facts first, and four times as many whenever that was not enough. */
const WINDOW = 1000

/** The position after which the last `count` matching facts begin. */
export async function lastMatching(
  store: EventStore,
  count: number,
  matches: (recorded: Recorded) => boolean,
): Promise<number> {
  const head = await store.head()
  if (count === 0) return head
  for (let window = WINDOW; ; window *= 4) {
    const from = Math.max(0, head - window)
    const found: number[] = []
    for await (const recorded of store.readAll({ after: from, to: head }))
      if (matches(recorded)) found.push(recorded.position)
    const first = found.at(-count)
    if (first !== undefined) return first - 1
    if (from === 0) return 0
  }
}
