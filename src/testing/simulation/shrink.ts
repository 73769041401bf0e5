/** Makes a script that breaks a law as short as possible: what can be left out while the same law breaks is left out. */
import { play } from './play.ts'
import type { Action, Script } from './script.ts'
import type { Subject } from './world.ts'

export interface Shrunk {
  readonly script: Script
  /** How many scripts were played. */
  readonly plays: number
}

/** @param law The law that must break. @param mostPlays Then the shortest script so far is good enough. */
export async function shrink(
  script: Script,
  law: string,
  subject: Subject,
  mostPlays: number,
): Promise<Shrunk> {
  let best = script
  let plays = 0
  const breaks = async (candidate: Script): Promise<boolean> => {
    if (plays >= mostPlays) return false
    plays += 1
    const { violation } = await play(candidate, subject)
    if (violation?.law !== law) return false
    best = candidate
    return true
  }
  await breaks({ ...best, order: 'first' })
  for (let before = -1; before !== sizeOf(best); ) {
    before = sizeOf(best)
    await withoutActions(() => best, breaks)
    await withoutParts(() => best, breaks)
  }
  return { script: best, plays }
}

type Breaks = (candidate: Script) => Promise<boolean>

const sizeOf = (script: Script) => JSON.stringify(script).length

/** Leaves out stretches of actions: long ones first, then shorter ones, then single ones. */
async function withoutActions(best: () => Script, breaks: Breaks): Promise<void> {
  for (let length = Math.ceil(best().actions.length / 2); length >= 1; length = Math.floor(length / 2))
    for (let from = best().actions.length - length; from >= 0; from -= length) {
      const { actions } = best()
      await breaks({ ...best(), actions: [...actions.slice(0, from), ...actions.slice(from + length)] })
    }
}

/** Leaves out everything else that can be left out, one after the other. */
async function withoutParts(best: () => Script, breaks: Breaks): Promise<void> {
  if (best().tree) await breaks({ ...best(), tree: null })
  if (best().budget) await breaks({ ...best(), budget: null })
  await breaks({ ...best(), limits: {} })
  for (const { id } of best().agents) {
    await breaks({ ...best(), agents: best().agents.filter((agent) => agent.id !== id) })
    const plain = best().agents.map((agent) =>
      agent.id === id ? { id, systemPrompt: agent.systemPrompt } : agent,
    )
    await breaks({ ...best(), agents: plain })
  }
  for (const [index, action] of best().actions.entries()) {
    for (const gap of [0, 1, 5]) {
      if (gap >= action.gap) break
      if (await breaks(withAction(best(), index, { ...action, gap }))) break
    }
    const now = best().actions[index]
    if (now?.do !== 'run' || !('kind' in now.pattern)) continue
    for (const pattern of now.pattern.parts)
      if (await breaks(withAction(best(), index, { ...now, pattern }))) break
  }
}

const withAction = (script: Script, index: number, action: Action): Script => ({
  ...script,
  actions: script.actions.map((other, at) => (at === index ? action : other)),
})
