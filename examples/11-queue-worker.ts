// A worker that takes tasks from a queue which delivers at least once. A message's id is the id of its task, so a message
// that comes again, after a crash or a lost acknowledgement, has the answer that was paid for.
import { Orchestrator } from 'claude-multi-agent'

interface Message {
  readonly id: string
  readonly text: string
}

/** Stands for Redis, SQS or RabbitMQ: what is not acknowledged is delivered again. */
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
  { id: 'mail-1', text: 'My parcel has not come.' },
  { id: 'mail-2', text: 'I want to change my address.' },
])

await using orchestrator = await Orchestrator.open({
  baseDir: '.claude-agents',
  agents: [{ id: 'sorter', systemPrompt: 'You say in one word where a letter belongs.' }],
})
const sorter = await orchestrator.agent('sorter')

let isFirst = true
for (let message = queue.receive(); message; message = queue.receive()) {
  const { text } = await sorter.ask(message.text, { taskId: message.id, session: 'fresh' })
  console.log(message.id, text.length > 0)
  // The first acknowledgement is lost, and its message comes again: its answer is there already.
  if (isFirst) isFirst = false
  else queue.acknowledge(message)
}
console.log(sorter.metrics().totalInteractions) // 2
