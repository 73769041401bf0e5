/** Reading a log for any length of time while owners come and go: a reader never becomes one. */
import { setTimeout as delay } from 'node:timers/promises'
import type { DraftChange } from '../actors/agent/tasks/channel.ts'
import type { Recorded } from '../events/envelope.ts'
import { ClaudeAgentError } from '../events/errors/base.ts'
import { OwnerUnavailable } from '../events/errors/owner.ts'
import { defined } from '../events/json.ts'
import { readingView } from '../store/care/view.ts'
import type { EventStore, FactSelection, FollowOptions } from '../store/event-store.ts'
import { isSelected } from '../store/follow.ts'
import type { ChainedStore } from '../store/level/chained-store.ts'
import { storePaths } from '../store/level/directory.ts'
import { readHeadFile } from '../store/level/head-file.ts'
import type { LevelStoreOptions } from '../store/level/store.ts'
import { isDatabaseUrl } from '../store/postgres/url.ts'
import { connectOwner } from './client.ts'
import { remoteStore } from './store.ts'

/** How often to look for a process that has opened the store. */
const POLL_MS = 200
const A_DAY_MS = 24 * 60 * 60 * 1000

/**
 * Opens a log for reading: through its owner, as a view of its files, or in a database. It never keeps another process from
 * owning the store.
 *
 * @param place A base directory, or the URL of a database.
 */
export async function openLog(
  place: string,
  options: LevelStoreOptions = {},
): Promise<{ readonly store: ChainedStore; readonly owner: number | null }> {
  if (isDatabaseUrl(place)) {
    const { postgresStore } = await import('../store/postgres/store.ts')
    return { store: await postgresStore(place, { ...options, access: 'reading' }), owner: null }
  }
  const client = await connectOwner(place)
  if (client) return { store: remoteStore(client), owner: client.pid }
  return { store: await readingView(place, options), owner: null }
}

export interface LiveOptions {
  readonly after: number
  readonly signal: AbortSignal
  /** Leaves out all other facts. */
  readonly only?: FactSelection
  /** Called when another process becomes the owner; null when there is none any more. */
  readonly onOwner?: OwnerListener
}

export type OwnerListener = (pid: number | null) => void

/** Follows a log from a position, whichever process owns it. Ends when the signal aborts. */
export async function* followLog(
  place: string,
  { after, signal, only, onOwner = () => {} }: LiveOptions,
): AsyncGenerator<Recorded> {
  if (!isDatabaseUrl(place))
    return yield* followDirectory(place, { after, signal, onOwner, ...defined({ only }) })
  await using store = (await openLog(place)).store
  for await (const recorded of followDatabase(store, defined({ after, signal, only })))
    if (isSelected(recorded, only)) yield recorded
}

/** Follows a log in a database. Connections to it keep no process alive; who follows waits for what comes. */
export async function* followDatabase(
  store: Pick<EventStore, 'follow'>,
  options?: FollowOptions,
): AsyncGenerator<Recorded> {
  const alive = setInterval(() => {}, A_DAY_MS)
  try {
    yield* store.follow(options)
  } finally {
    clearInterval(alive)
  }
}

async function* followDirectory(
  baseDir: string,
  { after, signal, only, onOwner = () => {} }: LiveOptions,
): AsyncGenerator<Recorded> {
  let position = after
  let owner: number | null | undefined
  while (!signal.aborted) {
    const client = await connectOwner(baseDir)
    if (owner !== (client?.pid ?? null)) onOwner(client?.pid ?? null)
    owner = client?.pid ?? null
    try {
      const facts = client
        ? remoteStore(client).follow(defined({ after: position, signal, only }))
        : unseen(baseDir, position)
      for await (const recorded of facts) {
        position = recorded.position
        if (isSelected(recorded, only)) yield recorded
      }
    } catch (error) {
      // The owner has changed: look for the new one.
      if (!(error instanceof OwnerUnavailable)) throw error
    } finally {
      client?.close()
    }
    await delay(POLL_MS, undefined, { signal }).catch(() => {})
  }
}

/** What an agent writes, whichever process it works in. null when that process has gone, or tells no more. */
export async function* followDrafts(
  place: string,
  agent: string,
  signal: AbortSignal,
): AsyncGenerator<DraftChange | null> {
  // The log in a database says when an answer is complete, and nothing before.
  if (isDatabaseUrl(place)) return
  while (!signal.aborted) {
    // The log is followed apart from this, and says what cannot be reached.
    const client = await connectOwner(place).catch(() => null)
    try {
      if (client) yield* client.values('/drafts', { agent }, signal) as AsyncGenerator<DraftChange>
    } catch (error) {
      if (!(error instanceof ClaudeAgentError)) throw error
    } finally {
      client?.close()
    }
    yield null
    await delay(POLL_MS, undefined, { signal }).catch(() => {})
  }
}

/** What was written that was not seen through an owner: by the last one before it ended, or by one that serves nobody. */
async function* unseen(baseDir: string, after: number): AsyncGenerator<Recorded> {
  if ((await recordedHead(baseDir)) <= after) return
  await using store = await readingView(baseDir)
  yield* store.readAll({ after })
}

/** The last position of the log according to its `head` file, without opening the store; or that of a database. */
export async function recordedHead(place: string): Promise<number> {
  if (!isDatabaseUrl(place)) return (await readHeadFile(storePaths(place).head, place))?.position ?? 0
  await using store = (await openLog(place)).store
  return await store.head()
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
