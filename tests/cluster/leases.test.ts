/** When others may take what a worker had: the two sides of its lease, each with a clock of its own, and what lies between them. */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import fc from 'fast-check'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import {
  CUT_OFF_AFTER_MS,
  ENDED_WITHIN_MS,
  LEASE_MS,
  OtherLeases,
  OwnLease,
} from '../../src/cluster/handover/lease.ts'
import { leased } from '../../src/cluster/handover/leased.ts'
import { Lifelines, lifeline } from '../../src/cluster/handover/lifeline.ts'
import { takeName } from '../../src/cluster/handover/names.ts'
import { Presence } from '../../src/cluster/handover/presence.ts'
import { virtualClock } from '../../src/testing/virtual-clock.ts'
import { repetitions } from '../repetitions.ts'

/** In ms. */
const short = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 1500 }))
const any = fc.oneof(short, fc.integer({ min: 0, max: LEASE_MS + 5000 }))
/** What is asked of the database: so long after the one before, and so long on each way. */
const prompt = fc.record({ pause: short, there: short, back: short, isAnswered: fc.constant(true) })
const late = fc.record({ pause: any, there: any, back: any, isAnswered: fc.boolean() })
const next = fc.record({
  pause: fc.oneof(fc.constant(LEASE_MS), fc.integer({ min: LEASE_MS - 1000, max: LEASE_MS + 1000 })),
  there: short,
  back: short,
  isAnswered: fc.constant(true),
})
type Asking = typeof late extends fc.Arbitrary<infer T> ? T : never

/** All goes well for a while, then nothing has to. */
const beatings = fc
  .tuple(fc.array(prompt, { maxLength: 3 }), fc.array(late, { maxLength: 3 }))
  .map((parts): readonly Asking[] => parts.flat())
/** Another one looks whenever it wants, and once more when it may be time. */
const lookings = fc
  .tuple(
    fc.array(fc.oneof(prompt, late), { minLength: 1, maxLength: 3 }),
    fc.array(next, { minLength: 1, maxLength: 2 }),
  )
  .map((parts): readonly Asking[] => parts.flat())

interface Question {
  readonly sent: number
  readonly arrived: number
  /** `Infinity` if the answer is lost. */
  readonly answered: number
}

function questions(from: number, asked: readonly Asking[]) {
  let sent = from
  return asked.map(({ pause, there, back, isAnswered }): Question => {
    sent += pause
    const arrived = sent + there
    return { sent, arrived, answered: isAnswered ? arrived + back : Number.POSITIVE_INFINITY }
  })
}

const BEGIN: Question = { sent: 0, arrived: 0, answered: 0 }

/** Until when calls may run that a worker begins by a claim; undefined if it may begin none. */
function runUntil(beats: readonly Question[], claim: Question): number | undefined {
  const own = new OwnLease(0)
  const answered = beats.toSorted((one, other) => one.answered - other.answered)
  for (const beat of answered) if (beat.answered <= claim.sent) own.answered(beat.sent)
  if (claim.answered > own.expiresAt) return undefined
  for (const beat of answered) {
    if (beat.answered <= claim.sent) continue
    if (own.isCutOff(beat.answered)) break
    own.answered(beat.sent)
  }
  return own.expiresAt + ENDED_WITHIN_MS
}

test('Whatever is late or lost between two workers and the database: what one takes for ended has ended', () => {
  let taken = 0
  fc.assert(
    fc.property(
      ...([beatings, lookings, fc.oneof(prompt, late), any, any, fc.nat()] as const),
      (beating, looking, claiming, claimsAt, looksAt, skew) => {
        const beats = [BEGIN, ...questions(0, beating)]
        const [claim = BEGIN] = questions(claimsAt, [claiming])
        const until = runUntil(beats, claim)
        const others = new OtherLeases()
        for (const { sent, arrived, answered } of questions(looksAt, looking)) {
          if (answered === Number.POSITIVE_INFINITY) continue
          // The database has what arrived last.
          const last = beats.reduce((newest, beat) =>
            beat.arrived <= arrived && beat.arrived >= newest.arrived ? beat : newest,
          )
          const asked = { askedAt: sent + skew, answeredAt: answered + skew }
          const isOver = others.observe(7, String(beats.indexOf(last)), asked)
          if (!isOver || claim.arrived > arrived || until === undefined) continue
          taken += 1
          expect(until).toBeLessThanOrEqual(answered)
        }
      },
    ),
    { numRuns: repetitions('LEASES', { short: 5000, long: 500_000 }) },
  )
  expect(taken).toBeGreaterThan(100)
})

/** A worker that takes what another one has. */
function taking(answers: readonly (string | number)[]) {
  const clock = virtualClock()
  const own = new OwnLease(0)
  const asked: (string | undefined)[] = []
  const released: string[] = []
  const warned: object[] = []
  const way = leased({
    ...{ own, clock, others: new OtherLeases(), logger: { warn: (what: object) => void warned.push(what) } },
    store: {
      async claimAfter(_, over) {
        const answer = answers[asked.length] ?? answers.at(-1) ?? ''
        asked.push(over)
        if (over !== undefined) return '2.1'
        return typeof answer === 'string'
          ? answer
          : { worker: 'one', epoch: 1, token: '1.1', beat: `${answer}` }
      },
      release: async (_, token) => void released.push(token),
    },
  })
  return { clock, own, asked, released, warned, way }
}

/** Passes time in steps as long as something takes. */
async function passing<T>(
  clock: ReturnType<typeof virtualClock>,
  own: OwnLease,
  work: Promise<T>,
): Promise<T> {
  let isDone = false
  const done = work.finally(() => {
    isDone = true
  })
  while (!isDone) {
    own.answered(clock.monotonic?.() ?? clock.now())
    await clock.advance(500)
  }
  return done
}

/** What a worker gets that wants a stream as long as it takes. */
const taken = ({ clock, own, way }: Pick<ReturnType<typeof taking>, 'clock' | 'own' | 'way'>) =>
  passing(
    clock,
    own,
    way.take('agent/a', () => true),
  )

test('A stream that no worker has is taken at once, and one that is given back as soon as that is seen', async () => {
  const free = taking(['2.1'])
  expect(await free.way.take('agent/a', () => true)).toBe('2.1')
  const { clock, own, way, asked, warned } = taking([1, 2, 3, '2.1'])
  expect(await taken({ clock, own, way })).toBe('2.1')
  expect([asked, warned]).toEqual([Array(4).fill(undefined), [{ stream: 'agent/a', worker: 'one' }]])
})

test('What a worker has that is not heard of is taken when its lease is over, and by its claim: not if it has claimed anew', async () => {
  const { clock, own, way, asked } = taking([1])
  const begin = clock.now()
  expect(await taken({ clock, own, way })).toBe('2.1')
  expect([clock.now() - begin >= LEASE_MS, asked.at(-1)]).toEqual([true, '1.1'])
  expect(asked.slice(0, -1).every((over) => over === undefined)).toBe(true)
})

test('Nothing is taken that is not for this worker any more, nor by one that is cut off itself', async () => {
  const { clock, own, way } = taking([1, 2, 3])
  let isWanted = true
  const left = way.take('agent/a', () => isWanted)
  isWanted = false
  expect(await passing(clock, own, left)).toBeUndefined()
  const cut = taking(['2.1'])
  await cut.clock.advance(CUT_OFF_AFTER_MS + 1)
  await expect(cut.way.take('agent/a', () => true)).rejects.toMatchObject({ _tag: 'Fenced' })
  expect(cut.released).toEqual(['2.1'])
})

test('What a worker had is lost to it as soon as its lease is over, also if a heartbeat is answered before it notices', async () => {
  const clock = virtualClock()
  const own = new OwnLease(0)
  const answers: (() => void)[] = []
  const losses: number[] = []
  const given: string[] = []
  let isReplaced = false
  let found = [{ stream: 'agent/a', token: '1.1' }]
  const presence = new Presence({
    ...{ me: { name: 'one', epoch: 1 }, own, others: new OtherLeases(), clock },
    members: {
      async beat() {
        await new Promise<void>((resolve) => answers.push(resolve))
        return { isReplaced, isDraining: false, lost: [] }
      },
      others: async () => [],
      ended: async () => {},
      strays: async () => found,
    },
    log: { tokens: new Map([['agent/b', '1.2']]), release: async (stream) => void given.push(stream) },
    here: [{ lose: async () => void losses.push(clock.monotonic()), loseStreams: async () => {} }],
    told: () => ({ agents: 1, waiting: {} }),
    onReplaced: async () => {},
    onDrain() {},
    logger: { debug() {}, info() {}, warn() {}, error() {} },
  })
  const answer = async () => {
    answers.pop()?.()
    await clock.advance(0)
  }
  await answer()
  await clock.advance(CUT_OFF_AFTER_MS)
  expect([losses, presence.isCutOff, presence.unheardMs]).toEqual([[], false, CUT_OFF_AFTER_MS])
  // What was begun on a machine that is busy, or in a process that was frozen.
  await clock.fireNext()
  expect(presence.isCutOff).toBe(true)
  expect(losses.length).toBeGreaterThan(0)
  losses.splice(0)
  await answer()
  expect(losses.length).toBe(1)
  await clock.advance(1000)
  await answer()
  expect(presence.isCutOff).toBe(false)
  // The same claim, twice: none that is on its way.
  expect(given).toEqual(['agent/a'])
  found = [{ stream: 'agent/b', token: '1.2' }]
  await clock.advance(30_000)
  expect(given).toEqual(['agent/a'])
  // Others have taken it for ended: it begins nothing more, whatever it hears.
  isReplaced = true
  losses.splice(0)
  await answer()
  expect([losses.length > 0, presence.isCutOff]).toEqual([true, true])
  isReplaced = false
  await clock.advance(1000)
  await answer()
  expect(presence.isCutOff).toBe(true)
  const stopped = presence.stop()
  await answer()
  await clock.advance(1000)
  await stopped
})

test('The end of a worker is seen at its lifeline, once for all; not that a connection broke, nor that another worker is there', async () => {
  await using one = await lifeline(7, '127.0.0.1')
  const lifelines = new Lifelines()
  onTestFinished(() => lifelines[Symbol.dispose]())
  const all = [
    { epoch: 7, lifeline: one.address },
    { epoch: 8, lifeline: one.address },
    { epoch: 9, lifeline: '' },
  ]
  const held = () => lifelines.hold(all)
  held()
  await vi.waitFor(() => expect([...lifelines.reached]).toEqual([7]))
  expect([...lifelines.ended]).toEqual([])
  await one[Symbol.asyncDispose]()
  await vi.waitFor(() => expect([...lifelines.ended]).toEqual([7]))
  lifelines.hold([])
  expect([...lifelines.ended]).toEqual([])
})

test('What ends a connection in the place of a worker is found out when that answers again; a reset says nothing', async () => {
  let answer = '7\n'
  const sockets: Socket[] = []
  const between = createServer((socket) => {
    sockets.push(socket)
    socket.on('error', () => {})
    socket.write(answer)
  }).listen(0, '127.0.0.1')
  onTestFinished(() => void between.close())
  await once(between, 'listening')
  const { port } = between.address() as AddressInfo
  const lifelines = new Lifelines()
  onTestFinished(() => lifelines[Symbol.dispose]())
  const again = (is: () => void) =>
    vi.waitFor(() => {
      lifelines.hold([{ epoch: 7, lifeline: `127.0.0.1:${port}` }])
      is()
    })
  const isReached = () => expect([...lifelines.reached]).toEqual([7])
  await again(isReached)
  for (const how of ['end', 'resetAndDestroy'] as const) {
    sockets.pop()?.[how]()
    if (how === 'end') await vi.waitFor(() => expect([...lifelines.ended]).toEqual([7]))
    else await vi.waitFor(() => expect([...lifelines.reached]).toEqual([]))
    await again(isReached)
    expect([...lifelines.ended]).toEqual([])
  }
  answer = '8\n'
  sockets.pop()?.resetAndDestroy()
  await again(() => expect(sockets.length).toBe(1))
  sockets.pop()?.end()
  await again(() => expect(sockets.length).toBe(1))
  expect([...lifelines.ended, ...lifelines.reached]).toEqual([])
  sockets.pop()?.destroy()
})

describe('A name that another worker has', () => {
  const worker = { name: 'one', address: '10.0.0.2:1', epoch: 2 }
  const holder = { worker: 'one', address: '10.0.0.1:1', epoch: 1, lifeline: '' }

  /** The other one says that it lives whenever it is looked for, or never again. */
  function naming(isAlive: boolean) {
    const clock = virtualClock()
    const warn = vi.fn()
    let looks = 0
    const members = {
      join: async (_: unknown, over?: { readonly epoch: number; readonly beat: string }) =>
        over !== undefined,
      others: async () => [{ ...holder, beat: isAlive ? String(looks++) : 'the last' }],
    }
    const taking = takeName(worker, { members, others: new OtherLeases(), clock, logger: { warn } })
    taking.catch(() => {})
    return { clock, taking, warn }
  }

  /** A second at a time: what is waited for begins its next wait in between. */
  async function pass(clock: ReturnType<typeof virtualClock>, seconds: number) {
    for (let second = 0; second < seconds; second++) await clock.advance(1000)
  }

  test('is refused as long as that one lives', async () => {
    const { clock, taking, warn } = naming(true)
    await pass(clock, 60)
    await expect(taking).rejects.toMatchObject({
      _tag: 'WorkerNameTaken',
      message: expect.stringContaining('A worker at 10.0.0.1:1 has the name "one".'),
    })
    expect(warn).toHaveBeenCalledExactlyOnceWith(
      { worker: 'one', address: '10.0.0.1:1' },
      'another worker has this name, so this one waits until that has left',
    )
  })

  test('is taken once its lease is over', async () => {
    const { clock, taking } = naming(false)
    const begun = clock.now()
    await pass(clock, 60)
    const said = await taking
    expect(said).toBeGreaterThanOrEqual(LEASE_MS)
    expect(said).toBeLessThan(LEASE_MS + 3000)
    expect(clock.now() - begun).toBe(60_000)
  })
})
