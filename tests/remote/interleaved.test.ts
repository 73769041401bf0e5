/** Clients that begin, join, leave, interrupt, cancel and die, and owners that end, change no outcome but that of what was ended. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Orchestrator } from '../../src/orchestrator.ts'
import { connectOwner, type OwnerClient } from '../../src/remote/client.ts'
import { remoteOrchestrator } from '../../src/remote/orchestrator.ts'
import { scriptedRunner } from '../../src/testing/scripted-runner.ts'
import { virtualClock } from '../../src/testing/virtual-clock.ts'
import { repetitions } from '../repetitions.ts'
import { temporaryDirectory } from '../store/temporary.ts'

const WORKFLOW = { kind: 'agents', pattern: 'sequential', agents: ['a', 'b'], options: {} } as const
const CLIENTS = 2
/** Longer than any of it takes, while the clock runs as fast as it can. */
const FOREVER_MS = 1e12
const RUNS = ['r1', 'r2']

/** The rarer ones end much. */
const DEEDS = [
  'begin',
  'begin',
  'begin',
  'leave',
  'interrupt',
  'interrupt',
  'interrupt',
  'cancel',
  'die',
  'the owner ends',
] as const

const deed = fc.record({
  what: fc.constantFrom(...DEEDS),
  client: fc.nat({ max: CLIENTS - 1 }),
  runId: fc.constantFrom(...RUNS),
})

/** What is expected of a run, and who wants it: requests that an interruption can take back. */
interface Expected {
  status: 'absent' | 'running' | 'paused' | 'cancelled'
  askers: number
}

interface Client {
  readonly connection: OwnerClient
  readonly remote: Orchestrator
  readonly stops: Map<string, { readonly stop: AbortController; readonly ended: Promise<unknown> }[]>
}

async function connect(baseDir: string): Promise<Client> {
  const connection = (await connectOwner(baseDir)) as OwnerClient
  return { connection, remote: await remoteOrchestrator(Orchestrator, connection), stops: new Map() }
}

test('No outcome differs from that of a run without interruptions, except of what was interrupted by all or cancelled', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(deed, { minLength: 4, maxLength: 14 }), async (deeds) => {
      const clock = virtualClock()
      const baseDir = await temporaryDirectory()
      const reply = ({ prompt }: { prompt: string }) => ({
        text: `re: ${prompt.split('\n')[0]}`,
        delayMs: 1000,
      })
      const agents = ['a', 'b'].map((id) => ({ id, systemPrompt: 'x', timeoutMs: FOREVER_MS }))
      const runner = scriptedRunner({ clock, reply })
      const open = () => Orchestrator.open({ baseDir, clock, agents, runner })
      let own = await open()
      const clients = await Promise.all(Array.from({ length: CLIENTS }, () => connect(baseDir)))
      const expected = new Map<string, Expected>(RUNS.map((id) => [id, { status: 'absent', askers: 0 }]))
      for (const { what, client: index, runId } of deeds) {
        const client = clients[index] as Client
        const run = expected.get(runId) as Expected
        if (what === 'begin' || what === 'leave') {
          const stop = new AbortController()
          const options = { id: runId, ...(what === 'begin' && { signal: stop.signal }) }
          const begun = client.remote.run(WORKFLOW, runId, options)
          const ended = begun.catch(() => {})
          const isRefused = await begun.begun.then(
            () => false,
            () => true,
          )
          expect(isRefused).toBe(run.status === 'cancelled')
          if (isRefused) continue
          run.askers = run.status === 'running' ? run.askers + 1 : 1
          run.status = 'running'
          if (what === 'begin') client.stops.set(runId, [...(client.stops.get(runId) ?? []), { stop, ended }])
        } else if (what === 'interrupt') {
          const asked = client.stops.get(runId)?.pop()
          if (!asked) continue
          asked.stop.abort('enough')
          await asked.ended
          if (run.status !== 'running') continue
          run.askers--
          if (run.askers === 0) run.status = 'paused'
        } else if (what === 'cancel') {
          if (run.status === 'absent' || run.status === 'cancelled') continue
          await client.remote.runs.cancel(runId)
          run.status = 'cancelled'
        } else if (what === 'die') {
          client.connection.close()
          clients[index] = await connect(baseDir)
        } else {
          for (const { connection } of clients) connection.close()
          await own.close()
          own = await open()
          for (const index of clients.keys()) clients[index] = await connect(baseDir)
          // The next owner resumes them by itself, so that no interruption is the last one's.
          for (const run of expected.values()) if (run.status === 'running') run.askers = 1
        }
        // Those that a run ended for have nothing left to interrupt.
        if (run.status !== 'running') for (const { stops } of clients) stops.delete(runId)
      }
      const drained = own.drain({ withinMs: FOREVER_MS })
      let isDrained = false
      void drained.then(() => {
        isDrained = true
      })
      while (!isDrained) {
        await clock.advance(1000)
        await new Promise((resolve) => setImmediate(resolve))
      }
      for (const [runId, { status }] of expected) {
        if (status === 'absent') continue
        const { status: found, finalOutput } = await own.runs.show(runId)
        const outcome = status === 'running' ? ['succeeded', `re: ${runId}`] : [status, null]
        expect([runId, found, finalOutput]).toEqual([runId, ...outcome])
      }
      for (const { connection } of clients) connection.close()
      await own.close()
    }),
    { numRuns: repetitions('INTERLEAVED_CLIENTS', { short: 8, long: 300 }) },
  )
})
