/**
 * Delivers notifications from the log: to each receiver in order, at least once, and again after a crash that came between
 * a delivery and the record of it. No receiver waits for another one, and no work waits for a receiver.
 */
import { type Clock, inBackground, inTime } from '../clock.ts'
import type { Recorded } from '../events/envelope.ts'
import { type Notification, type NotificationReceiver, receiverId } from '../events/options/notify.ts'
import type { Logger } from '../logger.ts'
import type { EventStore } from '../store/event-store.ts'
import { Noteworthy } from './noteworthy.ts'
import { Positions, type PositionsFile } from './positions.ts'
import type { Deliver } from './receivers.ts'

/** How often one notification is tried in one process, and how long the pauses between are: they double up to the last one. */
const MOST_TRIES = 10
const FIRST_PAUSE_MS = 1000
const LAST_PAUSE_MS = 300_000

/** How long closing waits for what is not delivered yet. The next owner delivers the rest. */
const CLOSES_WITHIN_MS = 3000

export interface NotifierParts {
  readonly receivers: readonly NotificationReceiver[]
  readonly store: Pick<EventStore, 'storeId' | 'head' | 'read'>
  /** The facts after a position, and then new ones, until everything that was written before its end is delivered. */
  readonly facts: (after: number) => AsyncIterable<Recorded>
  readonly positions: PositionsFile
  readonly deliver: Deliver
  readonly clock: Clock
  readonly logger: Logger
}

export class Notifier {
  readonly #parts: NotifierParts
  readonly #positions: Positions
  /** Nothing is tried a second time once it aborts. */
  readonly #closing = new AbortController()
  /** Ends the deliveries that take too long. */
  readonly #over = new AbortController()
  readonly #deliveries: Promise<unknown>

  private constructor(parts: NotifierParts, positions: Positions) {
    this.#parts = parts
    this.#positions = positions
    this.#deliveries = Promise.all(parts.receivers.map((receiver) => this.#tell(receiver)))
  }

  /** A receiver that is new begins here: at the end of the log. */
  static async open(parts: NotifierParts): Promise<Notifier> {
    const { receivers, store, logger } = parts
    const [ids, head, { storeId }] = [receivers.map(receiverId), await store.head(), store]
    return new Notifier(parts, await Positions.open(parts.positions, { storeId, head, ids, logger }))
  }

  /** Tries what is left once, as far as that takes no longer than a few seconds. The facts must end. */
  async close(): Promise<void> {
    this.#closing.abort()
    await inTime(this.#parts.clock, this.#deliveries, CLOSES_WITHIN_MS, undefined)
    this.#over.abort()
    await this.#deliveries
    await this.#positions.save()
  }

  /** Never rejects. */
  async #tell(receiver: NotificationReceiver): Promise<void> {
    const { facts, store, logger } = this.#parts
    const id = receiverId(receiver)
    const noteworthy = new Noteworthy(store)
    try {
      for await (const recorded of facts(this.#positions.of(id))) {
        const notification = await noteworthy.notification(recorded)
        const isFor = notification !== null && (receiver.on?.includes(notification.type as never) ?? true)
        if (isFor && !(await this.#deliver(receiver, notification))) return
        await this.#positions.advance(id, recorded.position, isFor)
        if (this.#over.signal.aborted) return
      }
    } catch (error) {
      logger.warn({ receiver: id, error }, 'a receiver is notified no more until the log is opened again')
    }
  }

  /** Whether the receiver continues with the next one: this one was delivered, or given up. */
  async #deliver(receiver: NotificationReceiver, notification: Notification): Promise<boolean> {
    const { deliver, logger } = this.#parts
    const fields = { receiver: receiverId(receiver), notification: notification.id, type: notification.type }
    for (let tries = 1, isUsable = true; ; ) {
      const { outcome, said } = await deliver(receiver, notification, this.#over.signal)
      if (outcome === 'delivered') return true
      if (outcome === 'refused' || tries === MOST_TRIES) {
        logger.warn({ ...fields, tries, said }, 'a notification was not delivered, and is tried no more')
        return true
      }
      if (outcome === 'unusable') {
        if (isUsable) logger.warn({ ...fields, said }, 'a receiver is not notified until it can be used')
        isUsable = false
        await this.#pause(LAST_PAUSE_MS)
      } else {
        logger.info({ ...fields, tries, said }, 'a notification will be tried again')
        await this.#pause(Math.min(FIRST_PAUSE_MS * 2 ** (tries - 1), LAST_PAUSE_MS))
        tries++
      }
      if (this.#closing.signal.aborted) return false
    }
  }

  /** A program that has nothing else to do need not wait for it. */
  #pause(delayMs: number): Promise<void> {
    const { signal } = this.#closing
    return new Promise((resolve) => {
      if (signal.aborted) return resolve()
      const finish = () => {
        cancel()
        signal.removeEventListener('abort', finish)
        resolve()
      }
      const cancel = inBackground(this.#parts.clock, delayMs, finish)
      signal.addEventListener('abort', finish, { once: true })
    })
  }
}
