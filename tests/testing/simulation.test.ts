/** Simulated worlds: the laws hold in each, one seed gives one log, and what breaks a law is shrunk to a script. */
import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import {
  replayScript,
  SimulationFailure,
  type SimulationReport,
  simulate,
} from '../../src/testing/simulation/simulate.ts'
import { repetitions } from '../repetitions.ts'

/** Other seeds: `FIRST_SEED=1000 SEEDS=5000 npx vitest run tests/testing/simulation.test.ts`. */
const SEEDS = repetitions('SEEDS', { short: 30, long: 200 })
const FIRST = Number(process.env.FIRST_SEED ?? 1)

test(
  `the laws hold in ${SEEDS} simulated worlds (from seed ${FIRST})`,
  async () => {
    const broken: string[] = []
    for (let seed = FIRST; seed < FIRST + SEEDS; seed++)
      await simulate({ seed, shrinkPlays: 0 }).catch((error) => {
        if (!(error instanceof SimulationFailure)) throw error
        broken.push(error.message)
      })
    expect(broken.slice(0, 3).join('\n\n')).toBe('')
  },
  60_000 + SEEDS * 1000,
)

const ONCE_BROKEN = new URL('once-broken/', import.meta.url)

/** Each was the shortest that broke a law. */
test.each(readdirSync(ONCE_BROKEN))('the laws hold in the script %s', async (name) => {
  const script = JSON.parse(readFileSync(new URL(name, ONCE_BROKEN), 'utf8'))
  await expect(replayScript(script)).resolves.toMatchObject({ seed: script.seed })
})

test('one seed gives one log, byte for byte', async () => {
  for (let seed = 1; seed <= 4; seed++) expect(await logOf(seed)).toBe(await logOf(seed))
})

async function logOf(seed: number): Promise<string> {
  const told = await simulate({ seed, shrinkPlays: 0 }).catch((error) => error as SimulationFailure)
  return (told as SimulationReport | SimulationFailure).log
}
