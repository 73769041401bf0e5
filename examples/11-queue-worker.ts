// A worker that takes tasks from an at-least-once queue. A message's id is its task's id, so a message that is
// delivered again, after a crash or a lost acknowledgement, gets the answer that was already paid for.
import { Orchestrator } from 'claude-multi-agent'

interface Message {
  readonly id: string
  readonly text: string
}

/** Stands in for Redis, SQS or RabbitMQ: unacknowledged messages are delivered again. */
class Queue {
  readonly #messages: Message[]

  constructor(messages: readonly Message[]) {
    this.#messages = [...messages]
  }

  receive(): Message | undefined {
    return this.#messages[0]
  }

  acknowledge({ id }: Message): void {
    const at = this.#messages.findIndex((message) => message.id === id)
    if (at >= 0) this.#messages.splice(at, 1)
  }
}

const queue = new Queue([
  { id: 'mail-1', text: 'My parcel has not arrived.' },
  { id: 'mail-2', text: 'I want to change my address.' },
])

await using orchestrator = await Orchestrator.open({
  baseDir: '.claude-agents',
  agents: [{ id: 'sorter', systemPrompt: 'You name, in one word, the department a letter belongs to.' }],
})
const sorter = await orchestrator.agent('sorter')

let isFirst = true
for (let message = queue.receive(); message; message = queue.receive()) {
  const { text } = await sorter.ask(message.text, { taskId: message.id, session: 'fresh' })
  console.log(message.id, text.length > 0)
  // The first acknowledgement is lost, so its message is delivered again; its answer is already in the log.
  if (isFirst) isFirst = false
  else queue.acknowledge(message)
}
console.log(sorter.metrics().totalInteractions) // 2
