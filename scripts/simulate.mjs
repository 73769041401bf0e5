// Simulates one world for each seed, and reports which laws did not hold: npm run simulate -- --from 1 --to 10000 --shrink.
import { parseArgs } from 'node:util'

const HELP = `Simulates one world for each seed. Exits with 1 if a law does not hold.

  --from SEED       the first seed (default: 1)
  --to SEED         the last seed (default: 200)
  --steps N         how many things happen in each world (default: 40)
  --faults LIST     crashes, full disks, clocks, listeners, calls (default: all of them)
  --shrink          looks for the shortest script that breaks the same law, and prints it
  --twice           plays each seed twice, and compares the logs byte for byte
  --log             prints the log of each seed as NDJSON, to standard output`

const { values } = parseArgs({
  options: {
    from: { type: 'string', default: '1' },
    to: { type: 'string', default: '200' },
    steps: { type: 'string', default: '40' },
    faults: { type: 'string' },
    shrink: { type: 'boolean', default: false },
    twice: { type: 'boolean', default: false },
    log: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
if (values.help) {
  console.log(HELP)
  process.exit(0)
}

const { simulate } = await import('../dist/entry-points/testing.js')
const [from, to, steps] = [values.from, values.to, values.steps].map(Number)
const options = {
  steps,
  ...(values.faults === undefined ? {} : { faults: values.faults.split(',').map((fault) => fault.trim()) }),
  shrinkPlays: values.shrink ? 300 : 0,
}
const began = performance.now()
const totals = { seeds: 0, facts: 0, calls: 0, lives: 0 }
const recovered = { answered: 0, failed: 0, unanswered: 0, unsent: 0 }
/** The seeds that broke each law. */
const broken = new Map()

for (let seed = from; seed <= to; seed++) {
  totals.seeds += 1
  try {
    const { log, figures } = await simulate({ ...options, seed })
    if (values.log) process.stdout.write(log)
    for (const name of ['facts', 'calls', 'lives']) totals[name] += figures[name]
    for (const outcome of Object.keys(recovered)) recovered[outcome] += figures.recovered[outcome]
    if (values.twice && (await simulate({ ...options, seed })).log !== log)
      note('one seed gives one log', seed, 'the second log is another one')
  } catch (error) {
    if (error.name !== 'SimulationFailure') throw error
    note(error.law, seed, error.message)
  }
  if (seed % 1000 === 0) console.error(`${seed} of ${to}, ${broken.size} laws broken`)
}

const seconds = Math.round((performance.now() - began) / 1000)
console.error(
  `${Object.entries(totals)
    .map(([name, count]) => `${count} ${name}`)
    .join(', ')} in ${seconds} s`,
)
console.error(
  `calls that outlived their owner: ${Object.entries(recovered)
    .map(([name, count]) => `${count} ${name}`)
    .join(', ')}`,
)
for (const [law, seeds] of broken)
  console.error(`${law}: ${seeds.length} seeds, ${seeds.slice(0, 20).join(' ')}`)
process.exitCode = broken.size > 0 ? 1 : 0

function note(law, seed, message) {
  // One script for each law is what a person reads.
  if (!broken.has(law) || values.to === values.from)
    console.error(`\nSeed ${seed}: ${values.shrink ? message : message.split('\n', 1)[0]}\n`)
  broken.set(law, [...(broken.get(law) ?? []), seed])
}
