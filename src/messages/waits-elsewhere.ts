/** Who waits for whom across processes: the tasks of each agent say which agents wait for their answers. */
import type { AgentRef } from '../actors/agent/ref.ts'

/** So many agents are asked who waits for them. Long rows of agents that wait for one another are refused for their length. */
const MOST_LOOKED_AT = 64

/** From one that waits to one that it waits for, also by way of others; undefined if it does not wait for it. */
export async function waitsInLog(
  agent: (id: string) => Promise<Pick<AgentRef, 'snapshot'>>,
  start: string,
  end: string,
): Promise<readonly string[] | undefined> {
  if (start === end) return [end]
  const paths = new Map([[end, [end]]])
  let lookedAt = 0
  // The map grows while it is read.
  for (const [at, path] of paths) {
    if (++lookedAt > MOST_LOOKED_AT) return undefined
    const found = await agent(at).catch(() => undefined)
    const { current = null, queue = [] } = found?.snapshot.context ?? {}
    for (const { askers = [] } of current ? [current, ...queue] : queue) {
      const waiting = askers.at(-1)
      if (waiting === undefined || paths.has(waiting)) continue
      if (waiting === start) return [waiting, ...path]
      paths.set(waiting, [waiting, ...path])
    }
  }
  return undefined
}
