// Let it crash: a failed worker is restarted by rule, its siblings keep running, and the log records each decision.
import { defineActor, type FactsOf, memoryStore, Orchestrator } from 'claude-multi-agent'
import { scriptedRunner } from 'claude-multi-agent/testing'
import * as Schema from 'effect/Schema'
import { assign, setup } from 'xstate'

const facts = { Fetched: Schema.Struct({ page: Schema.Int }) }

/** Fetches pages one by one. The first attempt at the second page fails. */
let tries = 0
const fetcher = defineActor({
  kind: 'fetcher',
  facts,
  machine: setup({
    types: {} as { context: { pages: number }; events: FactsOf<typeof facts> },
  }).createMachine({
    context: { pages: 0 },
    on: { Fetched: { actions: assign({ pages: ({ event }) => event.data.page }) } },
  }),
  decide: (page: number) => [{ type: 'Fetched', data: { page } }],
  effects: ({ context }) =>
    context.pages === 3
      ? []
      : [
          {
            key: `page ${context.pages + 1}`,
            async run({ self }) {
              if (context.pages === 1 && ++tries === 1) throw new Error('the connection was lost')
              await self.tell(context.pages + 1)
            },
          },
        ],
})

await using orchestrator = await Orchestrator.open({ store: memoryStore(), runner: scriptedRunner() })
await orchestrator.createAgent({ id: 'reader', systemPrompt: 'You read web pages.' })
const supervisor = await orchestrator.supervise({
  id: 'crawl',
  strategy: 'one-for-one',
  intensity: { maxRestarts: 3, withinMs: 60_000 },
  backoff: { minMs: 20, maxMs: 1000 },
  children: [
    { id: 'fetcher', start: () => orchestrator.spawn(fetcher, 'pages') },
    { agent: 'reader', restart: 'transient' },
  ],
})

const ref = await orchestrator.spawn(fetcher, 'pages')
await new Promise<void>((done) => {
  const look = ({ context }: typeof ref.snapshot) => context.pages === 3 && done()
  ref.subscribe(look)
  look(ref.snapshot)
})
for (const { id, status, restarts } of supervisor.children())
  console.log(`${id}: ${status}, ${restarts} restarts`)
await supervisor.stop()

for await (const { recorded, after } of orchestrator.history.replay('supervisor/crawl'))
  console.log(`${recorded.type}: ${after.value}, ${after.context.running} running`)
