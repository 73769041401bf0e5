/** The requests that the `claude` CLI makes itself, outside the conversation, each with an answer that it accepts. */
import { answer, type ModelAnswer } from './answer.ts'
import type { ModelRequest } from './messages-api.ts'

interface SideRequest {
  readonly matches: (request: ModelRequest) => boolean
  readonly reply: ModelAnswer
}

/** Observed since 2.1.197, unless CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC is set. */
const SIDE_REQUESTS: readonly SideRequest[] = [
  {
    // A title for the list of sessions. Similar prompts begin with the same words.
    matches: ({ system }) => /Generate a concise[^\n]{0,60} title/i.test(system),
    reply: answer.text('{"title": "Simulated session"}'),
  },
  {
    // A check of the key and the remaining quota.
    matches: ({ maxTokens, tools }) => maxTokens === 1 && tools.length === 0,
    reply: answer.maxTokens('#'),
  },
]

/** The answer to a request that is not part of the conversation; undefined for one that is. */
export function sideReply(request: ModelRequest): ModelAnswer | undefined {
  return SIDE_REQUESTS.find(({ matches }) => matches(request))?.reply
}
