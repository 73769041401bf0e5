/** The inbox as it changes: a list, and the next one after each fact that makes it another. */
import { Observable } from 'rxjs'
import { ClosedError } from '../events/errors/usage.ts'
import type { EventStore } from '../store/event-store.ts'
import type { InboxEntry } from './entry.ts'
import type { Inbox } from './inbox.ts'

type Entries = readonly InboxEntry[]

/** Facts that can change the inbox. Those of ordinary work can only shorten it. */
const CHANGES =
  /^(Task(Held|Approved|Failed|Cancelled)|CallDeferred|ToolDecided|AgentRemoved|Account(Held|Resumed)|Budget(Set|Settled)|EntrySetAside|LandingRequested|LandingCancelled|Escalated|FiringFailed|Message(Received|Released|Rejected)|Supervisor\w+|Run\w+|Schedule\w+)$/
const SHORTENS = /^(Call(Started|Succeeded)|FiringAccepted)$/

/** The log, as far as it is followed. */
interface FollowedLog {
  head(): Promise<number>
  follow(from: {
    readonly after: number
    readonly signal: AbortSignal
  }): AsyncIterable<{ readonly type: string }>
}

/**
 * Yields the inbox at once, and whenever it has changed. Facts that come while it is listed are looked at together. Ends on
 * abort, and when the log does.
 */
export async function* inboxLists(
  list: () => Promise<Entries>,
  log: FollowedLog,
  signal: AbortSignal,
): AsyncGenerator<Entries> {
  const stop = new AbortController()
  const after = await log.head()
  let shown: Entries = []
  let text = ''
  let isStale = true
  let isOver = false
  let wake = () => {}
  const follow = async () => {
    for await (const { type } of log.follow({ after, signal: stop.signal })) {
      if (!CHANGES.test(type) && !(shown.length > 0 && SHORTENS.test(type))) continue
      isStale = true
      wake()
    }
  }
  const end = () => {
    isOver = true
    wake()
  }
  signal.addEventListener('abort', end, { once: true })
  const following = follow().finally(end)
  following.catch(() => {})
  try {
    while (!signal.aborted) {
      if (isStale) {
        isStale = false
        shown = await list()
        const now = JSON.stringify(shown)
        if (now !== text) yield shown
        text = now
      } else if (isOver) return await following
      else await new Promise<void>((resolve) => (wake = resolve))
    }
  } catch (error) {
    if (!(error instanceof ClosedError)) throw error
  } finally {
    signal.removeEventListener('abort', end)
    stop.abort()
  }
}

/** The inbox: awaited it is a list, subscribed to or iterated it is that list whenever it changes. */
export class InboxStream extends Observable<Entries> implements PromiseLike<Entries>, AsyncIterable<Entries> {
  readonly #list: () => Promise<Entries>
  readonly #store: () => EventStore

  constructor(list: () => Promise<Entries>, store: () => EventStore) {
    super((subscriber) => {
      const stop = new AbortController()
      const tell = async () => {
        for await (const entries of inboxLists(list, store(), stop.signal)) subscriber.next(entries)
      }
      tell().then(
        () => subscriber.complete(),
        (error) => subscriber.error(error),
      )
      return () => stop.abort()
    })
    this.#list = list
    this.#store = store
  }

  // biome-ignore lint/suspicious/noThenProperty: the inbox is awaited for its entries
  then<A = Entries, B = never>(
    onList?: ((entries: Entries) => A | PromiseLike<A>) | null,
    onError?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#list().then(onList, onError)
  }

  [Symbol.asyncIterator](): AsyncGenerator<Entries> {
    return inboxLists(this.#list, this.#store(), new AbortController().signal)
  }
}

/** The inbox of an orchestrator as a function with methods: `orchestrator.inbox()`, `orchestrator.inbox.approve(id)`. */
export function callableInbox<Methods extends Pick<Inbox, 'list'>>(
  methods: Methods,
  store: () => EventStore,
): (() => InboxStream) & Methods {
  return Object.assign(() => new InboxStream(() => methods.list(), store), methods)
}
