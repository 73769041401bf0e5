/** What the simulated model says when no script tells it: a readable text made of nothing but the request. */

import type { ModelRequest } from './messages-api.ts'

/** The default answer: the same request always gets the same words. */
export function simulatedReply(request: ModelRequest): string {
  return `You asked: "${request.prompt.split('\n', 1)[0] ?? ''}"\n\nThis is the simulated model.`
}
