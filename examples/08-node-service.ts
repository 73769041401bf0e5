// A service that runs workflows. The key of a request is the id of its run: a client that asks again, even after a
// restart of the service, gets the same run, and nothing is paid for twice.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { ClaudeAgentError, Orchestrator, sequential } from 'claude-multi-agent'

await using orchestrator = await Orchestrator.open({ baseDir: '.claude-agents' })
const present = (await orchestrator.agents()).map(({ id }) => id)
for (const id of ['translator', 'proofreader'])
  if (!present.includes(id))
    await orchestrator.createAgent({ id, systemPrompt: `You are a ${id}. Answer in French.` })
const translation = sequential(['translator', 'proofreader'])

const server = createServer((request, response) => {
  handle(request, response).catch((error: unknown) => {
    const isOurs = error instanceof ClaudeAgentError
    send(response, isOurs ? 400 : 500, { error: isOurs ? error.message : 'internal error' })
    if (!isOurs) console.error(error)
  })
})

async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const [, resource, id] = (request.url ?? '').split('/')
  if (resource !== 'translations' || !id) return send(response, 404, { error: 'PUT or GET /translations/ID' })
  if (request.method === 'GET') {
    const { status, steps, done, finalOutput } = await orchestrator.runs.show(id)
    return send(response, 200, { status, steps, done, finalOutput })
  }
  const { success, metadata } = await orchestrator.run(translation, await text(request), { id })
  send(response, success ? 200 : 502, { translation: metadata.finalOutput, costUsd: metadata.costUsd })
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}

await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))

// The rest is a client that sends the same request twice at once. Its two requests are one run.
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/translations/order-4711`
const put = () => fetch(url, { method: 'PUT', body: 'Your parcel is on its way.' })
for (const response of await Promise.all([put(), put()])) console.log(await response.json())
console.log(await (await fetch(url)).json())
server.close()
