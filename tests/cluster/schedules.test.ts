/** Schedules in several workers, each of which may take one for its own. Nothing here needs several processes. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { virtualClock } from '../../src/testing/virtual-clock.ts'
import { repetitions } from '../repetitions.ts'
import { inOneProcess } from './in-one-process.ts'

const MINUTE = 60_000
const COUNT = 3

test('an instant fires once, whichever workers take the schedule for theirs, and whatever a client does meanwhile', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.record({
          owners: fc.uniqueArray(fc.nat({ max: COUNT - 1 })),
          does: fc.constantFrom('nothing', 'pause', 'resume', 'run'),
        }),
        { minLength: 1, maxLength: 6 },
      ),
      async (minutes) => {
        const clock = virtualClock()
        const cluster = await inOneProcess(COUNT, {}, clock)
        const team = await cluster.client()
        await team.createAgent({ id: 'a', systemPrompt: 'x' })
        const cron = '* * * * *'
        await team.schedules.add('s', { cron, timezone: 'UTC', agent: 'a', prompt: 'go', missed: 'all' })
        await team.schedules.add('w', {
          ...{ cron, timezone: 'UTC', input: 'go', missed: 'all' },
          workflow: { kind: 'agents', pattern: 'sequential', agents: ['a'], options: {} },
        })
        let byHand = 0
        const tend = (owners: readonly number[]) =>
          Promise.all(
            cluster.workers.map(({ orchestrator }, index) =>
              orchestrator.duties.tendSchedules(() => owners.includes(index)),
            ),
          )
        for (const { owners, does } of minutes) {
          await tend(owners)
          if (does === 'run') {
            byHand++
            await team.schedules.run('s')
          } else if (does !== 'nothing') await team.schedules[does]('s')
          await clock.advance(MINUTE)
        }
        // The last one is alone, and settles what was missed.
        await team.schedules.resume('s')
        await tend([0])
        await clock.advance(MINUTE)
        await tend([])
        const announced: string[] = []
        const accepted: string[] = []
        const started: string[] = []
        for await (const { type, stream, data } of cluster.log.readAll()) {
          if (type === 'FiringAnnounced') announced.push(`${stream} ${data.id}`)
          if (type === 'TaskAccepted' && data.runId === undefined) accepted.push(String(data.taskId))
          if (type === 'RunStarted') started.push(stream)
        }
        expect(announced.length).toBe(new Set(announced).size)
        expect(accepted.length).toBe(announced.filter((one) => one.startsWith('schedule/s')).length)
        expect(accepted.filter((id) => id.startsWith('s-run')).length).toBe(byHand)
        expect(started.length).toBe(minutes.length + 1)
        expect(started.length).toBe(announced.filter((one) => one.startsWith('schedule/w')).length)
      },
    ),
    { numRuns: repetitions('CLUSTER_SCHEDULES', { short: 4, long: 300 }) },
  )
})
