/** Supervision beside Erlang's own supervisor: the same scripts, step by step. Without Erlang these tests are skipped, and say so. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { repetitions } from '../repetitions.ts'
import { Erlang, whyNoErlang } from './erlang.ts'
import { playHere, type Waits } from './here.ts'
import { asErlang, oneByOne, type Script, scripts, withoutMeanwhile } from './script.ts'

/** In full: `npm run test:otp`. Other scripts: `OTP_SEED`. */
const SCRIPTS = repetitions('OTP_SCRIPTS', { short: 60, long: 1000 })
const SEED = Number(process.env.OTP_SEED ?? 20_261_129)

const reason = whyNoErlang()
if (reason !== undefined) process.stderr.write(`Not compared with Erlang's supervisor: ${reason}.\n`)

describe.skipIf(reason !== undefined)('For any tree and anything that happens to it', () => {
  let erlang: Erlang
  beforeAll(async () => {
    erlang = await Erlang.start()
  })
  afterAll(() => erlang?.stop())

  const compare = async (script: Script, waits: Waits) => {
    const fitting = { none: script, 'run-out': oneByOne(script), middle: withoutMeanwhile(script) }[waits]
    const here = await playHere(fitting, waits)
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
    `%s as in Erlang (seed ${SEED})`,
    async (_, waits, depth) => {
      await fc.assert(
        fc.asyncProperty(scripts(depth), (script) => compare(script, waits)),
        { numRuns: SCRIPTS, seed: SEED },
      )
    },
    600_000,
  )
})

/** Without what docs/supervision.md explains: dynamic children stop in no order, and a back-off delays what happens. */
function comparable(seen: string, waits: Waits): string {
  const [answers, events = '', ...rest] = seen.split('; ')
  const ordered = events.replace(/-d\d+( -d\d+)+/g, (stops) => stops.split(' ').sort().join(' '))
  return [answers, waits === 'middle' ? '' : ordered, ...rest].join('; ')
}
