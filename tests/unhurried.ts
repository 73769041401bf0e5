/** A store whose appends take time, so that other work comes between a decision and its fact. */
import type { EventStore } from '../src/store/event-store.ts'

/** Appends take as many turns as they are told, before and after the facts are written. */
export function unhurried(store: EventStore, turns: readonly number[]): EventStore {
  let appends = 0
  const wait = async () => {
    const count = turns[appends++ % turns.length] ?? 0
    for (let turn = 0; turn < count; turn++) await null
  }
  const slowly = async <Recorded>(append: () => Promise<Recorded>) => {
    await wait()
    const recorded = await append()
    await wait()
    return recorded
  }
  return {
    ...store,
    append: (...given) => slowly(() => store.append(...given)),
    appendAll: (appends) => slowly(() => store.appendAll(appends)),
  }
}
