// Tasks from a queue that can deliver a message more than once: each is answered once and paid for once.
import { Orchestrator } from 'claude-multi-agent'

const deliveries = [
  { messageId: 'm-1', text: 'Where is my parcel?' },
  { messageId: 'm-2', text: 'I want my money back!' },
  { messageId: 'm-1', text: 'Where is my parcel?' },
]

await using orchestrator = await Orchestrator.open({ baseDir: '.claude-agents' })
const clerk = await orchestrator.createAgent({
  id: 'clerk',
  systemPrompt: 'You answer customer letters in one sentence.',
})

for (const { messageId, text } of deliveries) {
  const reply = await clerk.ask(text, { taskId: messageId })
  console.log(`${messageId}: ${reply.text.split('\n', 1)[0]}`)
}
console.log(`${deliveries.length} deliveries, ${clerk.metrics().totalInteractions} calls`)
