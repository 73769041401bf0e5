// Durable two-step runs, a fresh one each time, compared with other engines on the same machine, each waiting for the disk;
// and with the least that such a step costs: the same facts written to SQLite in shared transactions by hand.
import { startDbos } from './kit/dbos.mjs'
import { loadLangGraph, withTwoStepTask } from './kit/lang-graph.mjs'
import { dist, isQuick, median, rounded, row, sized } from './kit/measuring.mjs'
import { withGroupedCommits } from './kit/sqlite-steps.mjs'
import { inFlight, withTeam } from './kit/team.mjs'

const { sequential } = await import(`${dist}/index.js`)

export const name = 'engines'

const ROUNDS = sized(3, 1)
/** The number of runs at once and in all, and what the ratio should be. */
const CASES = [
  { lanes: 1, runs: sized(200, 4), goal: 2.5 },
  { lanes: 16, runs: sized(800, 16), goal: 8 },
  { lanes: 256, runs: sized(4096, 256), goal: 15, grouped: 0.5 },
]

export async function run() {
  const others = { langGraph: await loadLangGraph(), dbos: await startDbos() }
  const rows = []
  try {
    for (const benchCase of CASES) rows.push(...(await compare(others, benchCase)))
  } finally {
    await others.dbos?.stop()
  }
  return rows
}

async function compare({ langGraph, dbos }, { lanes, runs, goal, grouped }) {
  const found = { own: [], langGraph: [], grouped: [], dbos: [] }
  const measured = (task) => runsPerSecond(lanes, runs, task)
  for (let round = 0; round < ROUNDS; round++) {
    const facts = await withTeam(2 * lanes, async (orchestrator, agents) => {
      const patterns = Array.from({ length: lanes }, (_, lane) =>
        sequential(agents.slice(2 * lane, 2 * lane + 2)),
      )
      found.own.push(await measured((lane) => orchestrator.run(patterns[lane], 'go')))
      return grouped === undefined ? [] : await factsOf(orchestrator)
    })
    if (langGraph)
      await withTwoStepTask(langGraph, async (task) => found.langGraph.push(await measured(task)))
    if (langGraph && grouped !== undefined)
      await withGroupedCommits(facts, async (task) => found.grouped.push(await measured(task)))
    if (dbos) found.dbos.push(await measured(dbos.task))
  }
  const what = `durable two-step runs, ${lanes} in flight`
  const value = rounded(median(found.own))
  const beside = (other, rates, ratio) =>
    rates.length > 0 && {
      what: `${what}, compared with ${other}`,
      value,
      unit: 'runs/s',
      baseline: rounded(median(rates)),
      ratio: rounded(value / median(rates), 2),
      ...(ratio !== undefined && { goal: ratio }),
    }
  const rows = [
    beside('LangGraph.js with SQLite, synchronous = FULL', found.langGraph, goal),
    beside('the same facts in SQLite, committed in groups by hand', found.grouped, grouped),
    beside('DBOS Transact with PostgreSQL', found.dbos),
  ].filter(Boolean)
  return rows.length > 0 ? rows : [row({ what: `${what} (nothing to compare with)`, value, unit: 'runs/s' })]
}

/** Runs some first, so that the code is compiled. */
async function runsPerSecond(lanes, runs, task) {
  if (!isQuick) await inFlight(lanes, Math.ceil(runs / 4), task)
  const begin = performance.now()
  await inFlight(lanes, runs, task)
  return (runs * 1000) / (performance.now() - begin)
}

async function factsOf(orchestrator) {
  const facts = []
  for await (const fact of orchestrator.store.readAll()) if (fact.type !== 'AgentCreated') facts.push(fact)
  return facts
}
