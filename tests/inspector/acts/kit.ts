/** An inspector as a browser and an attacker use it: requests with any header, and forms. */
import { type IncomingHttpHeaders, request } from 'node:http'
import { onTestFinished } from 'vitest'
import type { FormView } from '../../../src/inspector/acts/view.ts'
import { type InspectorOptions, inspector } from '../../../src/inspector/inspector.ts'
import type { Answers } from '../../../src/inspector/view.ts'
import type { EventStore } from '../../../src/store/event-store.ts'

export interface Answered {
  readonly status: number | undefined
  readonly headers: IncomingHttpHeaders
  readonly body: {
    readonly done?: string
    readonly error?: { readonly message: string; readonly hint: string }
  }
}

export type Headers = Readonly<Record<string, string>>

export async function acting(inspected: Parameters<typeof inspector>[0], options: InspectorOptions = {}) {
  const serving = await inspector(inspected, options)
  onTestFinished(() => serving.close())
  const url = new URL(serving.url)
  const { origin, port } = url
  const token = url.searchParams.get('token') ?? ''
  const own: Headers = {
    origin,
    cookie: `claude-agents-inspect-${port}=${token}`,
    'content-type': 'application/json',
  }
  /** Not `fetch`, which sets some headers itself. */
  const send = (path: string, body: string, headers: Headers = own, method = 'POST'): Promise<Answered> =>
    new Promise((resolve, reject) => {
      const sent = request({ host: '127.0.0.1', port, path, method, headers, agent: false }, (response) => {
        let text = ''
        response.setEncoding('utf8').on('data', (piece) => {
          text += piece
        })
        response.on('end', () =>
          resolve({ status: response.statusCode, headers: response.headers, body: JSON.parse(text || '{}') }),
        )
      })
      sent.on('error', reject)
      sent.end(body)
    })
  const ask = async <What extends keyof Answers>(
    what: What,
    query: Readonly<Record<string, string>> = {},
  ): Promise<Answers[What]> => {
    const { body } = await send(`/api/${what}?${new URLSearchParams(query)}`, '', own, 'GET')
    return body as never
  }
  const form = async () => (await ask('form')) as FormView
  /** Opens a form and sends it. */
  const act = async (action: string, fields: Readonly<Record<string, string>>): Promise<Answered> =>
    send('/api/act', JSON.stringify({ ...fields, action, form: (await form()).form }))
  return { url: serving.url, origin, port, token, own, send, ask, form, act }
}

/** Each look takes a turn. */
export async function untilTrue(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds()));
}

/** The facts of a type, the newest last. */
export async function factsOf(store: EventStore, type: string): Promise<readonly Record<string, unknown>[]> {
  const found: Record<string, unknown>[] = []
  for await (const recorded of store.readAll()) if (recorded.type === type) found.push(recorded.data)
  return found
}
