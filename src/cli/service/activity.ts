/** How long the owner of a store has had nothing to do. */
import type { Orchestrator } from '../../orchestrator.ts'

/** Milliseconds since it last worked; 0 while a task runs, waits or is held, a run is executed, or a schedule is to fire. `since`: when it opened the store. */
export async function idleMs(orchestrator: Orchestrator, since: number, now: number): Promise<number> {
  const { store } = orchestrator
  for (const prefix of ['agent/', 'schedule/'])
    for await (const _ of store.streams({ prefix, open: true })) return 0
  const runs = await orchestrator.runs.list({ open: true })
  if (runs.some(({ status }) => status === 'running')) return 0
  const head = await store.head()
  let last = since
  for await (const { at } of store.readAll({ after: Math.max(0, head - 1), to: head }))
    last = Math.max(since, Date.parse(at))
  return Math.max(0, now - last)
}
