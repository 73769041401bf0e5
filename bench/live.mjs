// Reading a log through its owner, compared with opening the store; and the cost of serving.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { scriptedRunner } from '../dist/entry-points/testing.js'
import { levelStore, Orchestrator } from '../dist/index.js'
import { textOf } from './kit/answers.mjs'
import { least, rounded, row, sized, timed, withDirectory } from './kit/measuring.mjs'

export const name = 'live'

const ROUNDS = sized(15, 2)
const FACTS = sized(20_000, 2000)
/** How much longer reading through an owner may take, in ms. */
const ALLOWED_MS = 50
const main = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url))

export const run = () =>
  withDirectory(async (baseDir) => {
    await fill(baseDir)
    const served = { runner: scriptedRunner(), baseDir }
    const times = { closed: [], live: [] }
    // Alternating, so that other load on the machine affects both alike.
    for (let round = 0; round < ROUNDS; round++) {
      times.closed.push(await firstByte(baseDir))
      const owner = await Orchestrator.open(served)
      times.live.push(await firstByte(baseDir))
      await owner.close()
    }
    const [closed, live] = [least(times.closed), least(times.live)]
    const [silent, serving] = [await openings({ ...served, serve: false }), await openings(served)]
    return [
      {
        what: `first byte of log from a live owner, compared with a closed store (at most ${ALLOWED_MS} ms more)`,
        value: rounded(live),
        unit: 'ms',
        baseline: rounded(closed),
        ratio: rounded((closed + ALLOWED_MS) / live, 2),
        floor: 1,
      },
      row({
        what: 'opening an orchestrator that serves, compared with one that does not',
        value: serving,
        unit: 'ms',
        baseline: silent,
        digits: 1,
      }),
    ]
  })

async function fill(baseDir) {
  const store = await levelStore(baseDir)
  const facts = Array.from({ length: 500 }, (_, n) => ({
    type: 'Noted',
    v: 1,
    data: { n, text: textOf(n, 200) },
  }))
  for (let n = 0; n < FACTS / facts.length; n++) await store.append(`note/n${n}`, facts)
  await store[Symbol.asyncDispose]()
}

async function firstByte(baseDir) {
  const begin = performance.now()
  const child = spawn(process.execPath, [main, 'log', '--json', '--base-dir', baseDir], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  await once(child.stdout, 'data')
  const time = performance.now() - begin
  child.stdout.resume()
  await once(child, 'close')
  return time
}

async function openings(options) {
  const times = []
  for (let round = 0; round < ROUNDS; round++) {
    let orchestrator
    times.push(
      await timed(async () => {
        orchestrator = await Orchestrator.open(options)
      }),
    )
    await orchestrator.close()
  }
  return least(times)
}
