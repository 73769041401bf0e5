// The heap that an agent holds: when it only exists, when it was loaded, and when it has worked.
import { answering } from './kit/answers.mjs'
import { dist, heapInUse, row, sized, withDirectory } from './kit/measuring.mjs'

const { Orchestrator } = await import(`${dist}/index.js`)

export const name = 'memory'

const AGENTS = sized(10_000, 500)
const idOf = (_, index) => `agent-${index}`
/** At most, in bytes: less than a loaded agent's id alone takes is none. */
const GOALS = { registered: 50, loaded: 1536, used: 3072 }

export const run = () =>
  withDirectory(async (directory) => {
    const [few, many] = [`${directory}/few`, `${directory}/many`]
    await make(few, 10)
    await make(many, AGENTS)
    const opened = async (baseDir, work) => {
      const orchestrator = await Orchestrator.open({ baseDir, runner: answering(), maxAgents: AGENTS })
      const heap = await heapInUse()
      await work?.(orchestrator)
      const after = await heapInUse()
      await orchestrator.close()
      return { heap, added: (after - heap) / AGENTS }
    }
    const ids = Array.from({ length: AGENTS }, idOf)
    // The first one compiles the code.
    await opened(many, use(ids.slice(0, 100)))
    const [fewOpen, manyOpen] = [await opened(few), await opened(many)]
    const found = {
      registered: (manyOpen.heap - fewOpen.heap) / AGENTS,
      loaded: (await opened(many, load(ids))).added,
      used: (await opened(many, use(ids))).added,
    }
    return Object.entries(found).map(([state, bytes]) => ({
      ...row({
        what: `heap of a ${state} agent, of ${AGENTS}, compared with the goal`,
        value: Math.max(bytes, 1),
        unit: 'bytes',
        baseline: GOALS[state],
      }),
      goal: 1,
    }))
  })

async function make(baseDir, count) {
  const orchestrator = await Orchestrator.open({ baseDir, runner: answering(), maxAgents: count })
  const ids = Array.from({ length: count }, idOf)
  await Promise.all(ids.map((id) => orchestrator.createAgent({ id, systemPrompt: 'You work.' })))
  await orchestrator.close()
}

const load = (ids) => async (orchestrator) => {
  for (const id of ids) await orchestrator.agent(id)
}

const use = (ids) => async (orchestrator) => {
  for (let at = 0; at < ids.length; at += 100)
    await Promise.all(ids.slice(at, at + 100).map((id) => orchestrator.sendTask(id, 'go')))
}
