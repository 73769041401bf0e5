// A Fastify service with one agent that shuts down cleanly: on SIGTERM it accepts no more requests, finishes what it
// has started, and leaves the rest in the log for the next start.
import { ClaudeAgentError, closeOnSignal, Orchestrator } from 'claude-multi-agent'
import Fastify from 'fastify'

const orchestrator = await Orchestrator.open({
  baseDir: '.claude-agents',
  agents: [{ id: 'clerk', systemPrompt: 'You answer letters in one paragraph.' }],
})
const clerk = await orchestrator.agent('clerk')
const service = Fastify()

// The key comes from the client: a letter sent twice is answered once and paid for once.
service.put<{ Params: { id: string }; Body: { text: string } }>('/letters/:id', async ({ params, body }) => {
  const { text, costUsd } = await clerk.ask(body.text, { taskId: params.id, session: 'fresh' })
  return { text, costUsd }
})

service.get('/health', async () => {
  const { status, totalInteractions, totalTokens } = clerk.metrics()
  return { status, totalInteractions, totalTokens }
})

service.setErrorHandler((error, _, reply) => {
  if (error instanceof ClaudeAgentError)
    return reply.status(error.retryable ? 503 : 400).send({ error: error.message })
  service.log.error(error)
  return reply.status(500).send({ error: 'internal error' })
})

const { closed } = closeOnSignal(orchestrator, { before: () => service.close() })
const url = await service.listen({ host: '127.0.0.1', port: 0 })

// The rest plays a client, and then the process manager.
const letter = { method: 'PUT', headers: { 'content-type': 'application/json' } }
const put = () => fetch(`${url}/letters/4711`, { ...letter, body: JSON.stringify({ text: 'Where is it?' }) })
const [first, second] = await Promise.all([put(), put()])
console.log(JSON.stringify(await first.json()) === JSON.stringify(await second.json())) // true
console.log(await (await fetch(`${url}/health`)).json())
process.emit('SIGTERM')
await closed
