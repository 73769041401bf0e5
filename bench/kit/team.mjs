// Agents on a store of their own, which answer at once.
import { answering } from './answers.mjs'
import { dist, withDirectory } from './measuring.mjs'

const { Orchestrator } = await import(`${dist}/index.js`)

/** Copies of an agent that a pool may need. */
const POOL = 16

export const withTeam = (size, work, runner = answering()) =>
  withDirectory(async (baseDir) => {
    const orchestrator = await Orchestrator.open({ baseDir, runner, maxAgents: size + POOL })
    try {
      const agents = Array.from({ length: size }, (_, index) => `agent-${index}`)
      await Promise.all(agents.map((id) => orchestrator.createAgent({ id, systemPrompt: 'You work.' })))
      return await work(orchestrator, agents)
    } finally {
      await orchestrator.close()
    }
  })

/** Does something so many times, some at once. */
export async function inFlight(lanes, times, task) {
  let begun = 0
  const work = async (_, lane) => {
    while (begun++ < times) await task(lane)
  }
  await Promise.all(Array.from({ length: lanes }, work))
}
