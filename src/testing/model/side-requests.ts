/** The requests that the `claude` CLI makes by itself, beside the conversation, and a fitting answer to each. */

import { answer, type ModelAnswer } from './answer.ts'
import type { ModelRequest } from './messages-api.ts'

interface SideRequest {
  readonly matches: (request: ModelRequest) => boolean
  readonly reply: ModelAnswer
}

/** Seen from 2.1.197 on unless CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC is set; the answers are in the form asked for. */
const SIDE_REQUESTS: readonly SideRequest[] = [
  {
    // The title of a session in the list of sessions. Other prompts of the kind begin with the same words.
    matches: ({ system }) => /Generate a concise[^\n]{0,60} title/i.test(system),
    reply: answer.text('{"title": "Simulated session"}'),
  },
  {
    // Whether the key works and how much of the quota is left.
    matches: ({ maxTokens, tools }) => maxTokens === 1 && tools.length === 0,
    reply: answer.maxTokens('#'),
  },
]

/** The answer to a request that is not part of the conversation; undefined for one that is. */
export function sideReply(request: ModelRequest): ModelAnswer | undefined {
  return SIDE_REQUESTS.find(({ matches }) => matches(request))?.reply
}
