// Reading a log through its owner, compared with opening the store; and the cost of serving.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { scriptedRunner } from '../dist/entry-points/testing.js'
import { levelStore, Orchestrator } from '../dist/index.js'

export const name = 'live'

const ROUNDS = 15
const FACTS = 20_000
/** How much longer reading through an owner may take, in ms. */
const ALLOWED_MS = 50
const main = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url))

export async function run() {
  const baseDir = await mkdtemp(join(tmpdir(), 'bench-live-'))
  try {
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
        value: Math.round(live),
        unit: 'ms',
        baseline: Math.round(closed),
        ratio: Number(((closed + ALLOWED_MS) / live).toFixed(2)),
        floor: 1,
      },
      {
        what: 'opening an orchestrator that serves, compared with one that does not',
        value: Number(serving.toFixed(1)),
        unit: 'ms',
        baseline: Number(silent.toFixed(1)),
        ratio: Number((silent / serving).toFixed(2)),
      },
    ]
  } finally {
    await rm(baseDir, { recursive: true })
  }
}

async function fill(baseDir) {
  const store = await levelStore(baseDir)
  const facts = Array.from({ length: 500 }, (_, n) => ({
    type: 'Noted',
    v: 1,
    data: { n, text: 'x'.repeat(200) },
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
    const begin = performance.now()
    const orchestrator = await Orchestrator.open(options)
    times.push(performance.now() - begin)
    await orchestrator.close()
  }
  return least(times)
}

const least = (values) => Math.min(...values)
