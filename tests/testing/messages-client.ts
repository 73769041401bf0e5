/** A plain HTTP client of the simulated model. */
import type { SimulatedModel } from '../../src/testing/model/simulated-model.ts'

/** Sends one user message, with additional fields of the request. */
export function postMessage(
  model: SimulatedModel,
  content: string,
  fields: Readonly<Record<string, unknown>> = {},
): Promise<Response> {
  return fetch(`${model.url}/v1/messages?beta=true`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': 'simulated' },
    body: JSON.stringify({ model: 'm', max_tokens: 99, messages: [{ role: 'user', content }], ...fields }),
  })
}
