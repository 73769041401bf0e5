/**
 * The MCP server whose only tool asks a person: `ask_human`. Each call of it waits for the hook, which hands it on with the
 * answer; so all it does is to give that back.
 */
import { createInterface } from 'node:readline'

interface Request {
  readonly id?: string | number
  readonly method?: string
  readonly params?: { readonly protocolVersion?: string; readonly arguments?: { readonly answer?: unknown } }
}

const TOOL = {
  name: 'ask_human',
  description:
    'Ask the person you work for a question, and wait for the answer, which may take hours. Use it when a decision is theirs to make, or you cannot find something out yourself. Ask one question at a time, and say in it all that is needed to answer it.',
  inputSchema: {
    type: 'object',
    properties: {
      question: { type: 'string', description: 'The question.' },
      choices: {
        type: 'array',
        items: { type: 'string' },
        description:
          'The answers to choose from, if the question has a few. Without it, any answer may be given.',
      },
    },
    required: ['question'],
  },
}

function resultOf({ method, params }: Request): object {
  if (method === 'initialize')
    return {
      protocolVersion: params?.protocolVersion ?? '2024-11-05',
      capabilities: { tools: {} },
      serverInfo: { name: 'claude-agents', version: '1' },
    }
  if (method === 'tools/list') return { tools: [TOOL] }
  if (method !== 'tools/call') return {}
  const answer = params?.arguments?.answer
  return typeof answer === 'string'
    ? { content: [{ type: 'text', text: answer }] }
    : { content: [{ type: 'text', text: 'No person has answered.' }], isError: true }
}

createInterface({ input: process.stdin }).on('line', (line) => {
  const request = JSON.parse(line) as Request
  // A notification wants no answer.
  if (request.id === undefined) return
  process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', id: request.id, result: resultOf(request) })}\n`)
})
