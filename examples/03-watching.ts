// Watching agents at work: facts as they are written, and the state they fold to.
import { Orchestrator } from 'claude-multi-agent'

await using orchestrator = await Orchestrator.open({ baseDir: '.claude-agents' })
const subscription = orchestrator.events().subscribe(({ position, stream, type }) => {
  console.log(`${position} ${stream} ${type}`)
})

const poet = await orchestrator.createAgent({ id: 'poet', systemPrompt: 'You write haiku.' })
poet.machine.subscribe(({ value, context }) =>
  console.log(`poet is ${value}, ${context.queue.length} waiting`),
)
await Promise.all([poet.ask('About the sea.'), poet.ask('About the wind.')])
subscription.unsubscribe()

for await (const { recorded, before, after } of orchestrator.history.replay('agent/poet')) {
  console.log(`replayed ${recorded.type}: ${before.value} -> ${after.value}`)
}
