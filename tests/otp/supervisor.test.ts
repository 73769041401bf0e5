/** Supervision beside Erlang's own supervisor: the same scripts, step by step. Without Erlang these tests are skipped, and say so. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { repetitions } from '../repetitions.ts'
import { Erlang, whyNoErlang } from './erlang.ts'
import { playHere, type Waits } from './here.ts'
import { asErlang, type Child, type Happening, type Script, scripts, withoutMeanwhile } from './script.ts'

/** In full: `npm run test:otp`. Other scripts: `OTP_SEED`. */
const SCRIPTS = repetitions('OTP_SCRIPTS', { short: 60, long: 1000 })
const SEED = Number(process.env.OTP_SEED ?? 20_261_129)

const reason = whyNoErlang()
if (reason !== undefined) process.stderr.write(`Not compared with Erlang's supervisor: ${reason}.\n`)

describe.skipIf(reason !== undefined)('Beside Erlang', () => {
  let erlang: Erlang
  beforeAll(async () => {
    erlang = await Erlang.start()
  })
  afterAll(() => erlang?.stop())

  const compare = async (script: Script, waits: Waits) => {
    const here = await playHere(waits === 'middle' ? withoutMeanwhile(script) : script, waits)
    const text = asErlang(here.script)
    const there = await erlang.play(text)
    const known = (seen: string) => comparable(seen, waits)
    assert.deepEqual(here.seen.map(known), there.map(known), text)
  }

  test.each<[string, Waits, number]>([
    ['the same children run, are restarted in the same order, and the same supervisors end', 'none', 2],
    ['the same holds with a back-off that runs out', 'run-out', 2],
    ['what happens during a back-off leaves what it leaves after a restart', 'middle', 1],
  ])(
    `%s, for any tree and script (seed ${SEED})`,
    async (_, waits, depth) => {
      await fc.assert(
        fc.asyncProperty(scripts(depth), (script) => compare(script, waits)),
        { numRuns: SCRIPTS, seed: SEED },
      )
    },
    600_000,
  )

  // One for all: a ends, and the start of b fails once. Until that is retried, this happens.
  test.each<[string, Happening, string, string]>([
    ['terminating b', { type: 'terminate', child: 'b' }, 'a+ b- c+', 'a+ b- c-'],
    ['terminating c', { type: 'terminate', child: 'c' }, 'a+ b+ c-', 'a+ b+ c+'],
    ['deleting c', { type: 'delete', child: 'c' }, 'a+ b+ c+', 'a+ b+'],
  ])('%s before a failed start is retried differs as the docs say', async (_, happening, here, there) => {
    const worker = (id: string): Child => ({ id, restart: 'permanent', significant: false })
    const script: Script = {
      tree: {
        id: 't',
        strategy: 'one-for-all',
        maxRestarts: 4,
        withinSeconds: 10,
        autoShutdown: 'never',
        children: ['a', 'b', 'c'].map(worker),
      },
      fails: [],
      steps: [
        { type: 'fail', child: 'b', times: 1, supervisor: 't', meanwhile: [happening] },
        {
          type: 'happen',
          supervisor: 't',
          happenings: [{ type: 'exit', child: 'a', reason: 'crashed' }],
        },
      ],
    }
    const left = (seen: readonly string[]) => seen[2]?.split('; ')[2]
    const { seen } = await playHere(script, 'none')
    assert.deepEqual([left(seen), left(await erlang.play(asErlang(script)))], [here, there])
  })
})

/**
 * Without what docs/supervision.md explains: dynamic children stop in no order, and what waits in a back-off neither starts
 * nor ends meanwhile.
 */
function comparable(seen: string, waits: Waits): string {
  const [answers, events = '', tree, ended = ''] = seen.split('; ')
  if (waits === 'middle') return [answers, tree, /\bt shutdown/.test(ended)].join('; ')
  const ordered = events.replace(/-d\d+( -d\d+)+/g, (stops) => stops.split(' ').sort().join(' '))
  return [answers, ordered, tree, ended].join('; ')
}
