/** Whatever is landed, and whenever the process dies: the target is always a state that passed its gate, and nothing lands twice. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { memoryStore } from '../../src/store/memory-store.ts'
import { GATE, isGreen, landingProcess, type ModelAgent, ModelWorld } from './model.ts'

const anyAgents = fc
  .array(
    fc.record({
      files: fc.dictionary(fc.constantFrom('x', 'y', 'z'), fc.constantFrom('1', '2', 'p', 'q', 'bad'), {
        minKeys: 1,
        maxKeys: 2,
      }),
      mends: fc.constantFrom<ModelAgent['mends']>('well', 'well', 'badly', 'not', 'fails'),
    }),
    { minLength: 1, maxLength: 6 },
  )
  .map((agents) => agents.map((agent, at): ModelAgent => ({ id: `a${at}`, ...agent })))

const anyWorld = fc.record({ agents: anyAgents, squash: fc.boolean(), isCheckedOut: fc.boolean() })

const REQUEST = { gate: GATE, requestId: 'r' }

/** Lands everything, dies once, and continues in another process. */
async function landAll(
  { agents, squash, isCheckedOut }: typeof anyWorld extends fc.Arbitrary<infer W> ? W : never,
  death: Parameters<typeof landingProcess>[2] = {},
  meanwhile = (_: ModelWorld) => {},
) {
  const world = new ModelWorld(agents)
  world.isCheckedOut = isCheckedOut
  const store = memoryStore()
  const names = agents.map(({ id }) => id)
  const land = async ({ landings }: ReturnType<typeof landingProcess>) => {
    await landings.resume()
    const entries = await landings.land(names, { ...REQUEST, squash })
    meanwhile(world)
    const ended = await Promise.all(entries.map(({ entry }) => landings.settled(entry)))
    await landings.close()
    return ended
  }
  const first = landingProcess(world, store, death)
  const ended = await Promise.race([land(first), first.mortal.died.then(() => undefined)])
  await first.mortal.settled()
  return { world, store, first, ended: ended ?? (await land(landingProcess(world, store))) }
}

function check({ world, ended }: Awaited<ReturnType<typeof landAll>>): void {
  expect(world.wrong).toEqual([])
  expect(ended.every(({ status }) => status === 'landed' || status === 'set-aside')).toBe(true)
  for (const [name, tip] of world.branches) {
    if (name !== 'main' && !name.startsWith('claude-agents/landed/')) continue
    expect(isGreen(world.at(tip).files)).toBe(true)
    const merged = [...world.history(tip)].flatMap((commit) => world.at(commit).entry ?? [])
    expect(merged.filter((entry, at) => merged.indexOf(entry) !== at)).toEqual([])
  }
  const tips = [...world.branches]
    .filter(([name]) => /^(main$|claude-agents)/.test(name))
    .map(([, tip]) => tip)
  for (const { status, commit } of ended)
    if (status === 'landed') expect(tips.some((tip) => world.history(tip).has(commit ?? ''))).toBe(true)
}

const runs = (short: number) => ({ numRuns: Number(process.env.RUNS ?? short) })

test('whatever is landed together, the target is always a state that passed its gate, and everything ends', async () => {
  await fc.assert(
    fc.asyncProperty(anyWorld, async (world) => check(await landAll(world))),
    runs(40),
  )
})

test('the same if the user commits meanwhile', async () => {
  await fc.assert(
    fc.asyncProperty(anyWorld, async (world) =>
      check(await landAll(world, {}, (one) => one.userCommits('1'))),
    ),
    runs(20),
  )
})

test('the same if the process dies before or after any fact', async () => {
  await fc.assert(
    fc.asyncProperty(anyWorld, fc.nat(), fc.boolean(), async (world, pick, isBefore) => {
      const { first } = await landAll(world)
      const append = 1 + (pick % first.mortal.appends.length)
      check(await landAll(world, { crash: { append, when: isBefore ? 'before' : 'after' } }))
    }),
    runs(40),
  )
})

test('the same if the process dies before or after any step of git or of an agent', async () => {
  await fc.assert(
    fc.asyncProperty(anyWorld, fc.nat(), async (world, pick) => {
      const { first } = await landAll(world)
      check(await landAll(world, { step: 1 + (pick % first.steps) }))
    }),
    runs(40),
  )
})

test('entries that wait together are judged together, and the one at fault is found by halves', async () => {
  const agents = Array.from(
    { length: 8 },
    (_, at): ModelAgent => ({
      id: `a${at}`,
      files: { [`f${at}`]: at === 5 ? 'bad' : '1' },
      mends: 'fails',
    }),
  )
  const { world, ended } = await landAll({ agents, squash: false, isCheckedOut: false })
  expect(ended.filter(({ status }) => status !== 'landed').map(({ agent }) => agent)).toEqual(['a5'])
  // All eight, four, then of the others: two, and each of those.
  expect(world.judged).toBeLessThanOrEqual(7)
})
