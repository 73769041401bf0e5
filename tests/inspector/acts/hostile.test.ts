/** Forms as an attacker sends them: none of them does anything. */
import fc from 'fast-check'
import { expect, onTestFinished, test } from 'vitest'
import { actingOn } from '../../../src/inspector/acts/acting.ts'
import { Forms } from '../../../src/inspector/acts/forms.ts'
import { Orchestrator } from '../../../src/orchestrator.ts'
import { memoryStore } from '../../../src/store/memory-store.ts'
import { scriptedRunner } from '../../../src/testing/scripted-runner.ts'
import { acting, type Headers } from './kit.ts'

const ENTRY = 'task:writer:t1'
const MARKUP = '<script>alert(1)</script><img src=x onerror="alert(2)"> \u202Egnp.exe \u001b[31m'

async function held(options: Parameters<typeof acting>[1] = {}, prompt = 'Write the mail') {
  const store = memoryStore()
  const orchestrator = await Orchestrator.open({ store, runner: scriptedRunner({ reply: () => 'done' }) })
  onTestFinished(() => orchestrator.close())
  const writer = await orchestrator.createAgent({ id: 'writer', systemPrompt: 'You write.' })
  await new Promise<void>((resolve) => {
    writer.ask(prompt, { taskId: 't1', approval: MARKUP, onHeld: () => resolve() }).catch(() => {})
  })
  return { store, orchestrator, ...(await acting(orchestrator, options)) }
}

test('a form without the key, from elsewhere, or of another kind does nothing', async () => {
  const { store, own, send, form, port, token, origin } = await held()
  const head = await store.head()
  const without = (name: string): Headers =>
    Object.fromEntries(Object.entries(own).filter(([key]) => key !== name))
  const wrong: readonly (readonly [what: string, status: number, headers: Headers, path?: string])[] = [
    ['no key', 401, without('cookie')],
    ['a guessed key', 401, { ...own, cookie: `claude-agents-inspect-${port}=guess` }],
    ['a key in the URL', 401, without('cookie'), `/api/act?token=${token}`],
    ['no origin', 403, without('origin')],
    ['another origin', 403, { ...own, origin: 'https://evil.example' }],
    ['an opaque origin', 403, { ...own, origin: 'null' }],
    ['another port', 403, { ...own, origin: `http://127.0.0.1:${Number(port) + 1}` }],
    ['another scheme', 403, { ...own, origin: origin.replace('http', 'https') }],
    ['another site', 403, { ...own, 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' }],
    ['a page of the same site', 403, { ...own, 'sec-fetch-site': 'same-site' }],
    ['no page at all', 403, { ...own, 'sec-fetch-site': 'none' }],
    ['another host', 403, { ...own, host: 'evil.example' }],
    ['a form of a browser', 415, { ...own, 'content-type': 'application/x-www-form-urlencoded' }],
    ['plain text', 415, { ...own, 'content-type': 'text/plain' }],
    ['no kind', 415, without('content-type')],
    ['another address', 405, own, '/api/inbox'],
    ['the page', 405, own, '/'],
  ]
  for (const [what, status, headers, path = '/api/act'] of wrong) {
    const body = JSON.stringify({ action: 'approve', entry: ENTRY, form: (await form()).form })
    expect((await send(path, body, headers)).status, what).toBe(status)
  }
  for (const method of ['PUT', 'DELETE', 'PATCH', 'OPTIONS'])
    expect((await send('/api/act', '{}', own, method)).status, method).toBe(405)
  expect((await send('/api/act', '', own, 'GET')).status).toBe(404)
  expect(await store.head()).toBe(head)
})

test('a form that is sent again does nothing, and gets the first answer', async () => {
  const { store, send, form } = await held()
  const open = await form()
  const body = JSON.stringify({ action: 'approve', entry: ENTRY, form: open.form })
  const [first, second] = await Promise.all([send('/api/act', body), send('/api/act', body)])
  expect(first).toMatchObject({ status: 200, body: { done: 'Approved task:writer:t1.' } })
  expect(second?.body).toEqual(first?.body)
  const other = JSON.stringify({ action: 'reset', agent: 'writer', form: open.form })
  expect((await send('/api/act', other)).body).toEqual(first?.body)
  const types: string[] = []
  for await (const { type } of store.readAll()) types.push(type)
  expect(types.filter((type) => type === 'TaskApproved' || type === 'AgentReset')).toEqual(['TaskApproved'])
})

test('a form of another inspector, or of none, does nothing', async () => {
  const { store, send, orchestrator } = await held()
  const head = await store.head()
  const other = await acting(orchestrator)
  for (const form of [(await other.form()).form, '', `form-${'0'.repeat(32)}`, '__proto__']) {
    const answered = await send('/api/act', JSON.stringify({ action: 'approve', entry: ENTRY, form }))
    expect(answered, form).toMatchObject({
      status: 409,
      body: { error: { hint: 'Open it again on the page.' } },
    })
  }
  expect(await store.head()).toBe(head)
})

test('bodies that are no form do nothing', async () => {
  const { store, send, form } = await held()
  const head = await store.head()
  const open = await form()
  for (const body of [
    '',
    'x',
    '[]',
    'null',
    '1',
    '{"action":',
    JSON.stringify({ action: ['approve'], form: open.form }),
    JSON.stringify({ action: 'approve', entry: { id: ENTRY }, form: open.form }),
    JSON.stringify({ action: 'approve', entry: 'x'.repeat(1000), form: open.form }),
  ])
    expect((await send('/api/act', body)).status, body).toBe(400)
  // A megabyte, with and without its length.
  const large = JSON.stringify({
    action: 'deny',
    entry: ENTRY,
    reason: MARKUP.repeat(20_000),
    form: open.form,
  })
  expect((await send('/api/act', large)).status).toBe(413)
  expect(await store.head()).toBe(head)
})

test('hostile text is recorded and shown as text', async () => {
  const { store, ask, act } = await held()
  const [entry] = (await ask('inbox')).entries
  expect(entry?.question).toContain('<script>alert(1)</script>')
  // Of a message, what would colour a terminal is left out.
  expect(entry?.question).toContain('\\u202egnp.exe).')
  expect(await act('deny', { entry: ENTRY, reason: MARKUP })).toMatchObject({ status: 200 })
  const gone = await act('approve', { entry: ENTRY })
  expect(gone.body.error?.message).toContain('\\u202egnp.exe')
  for await (const { type, data } of store.readAll())
    if (type === 'TaskFailed')
      expect(JSON.stringify(data)).toContain(JSON.stringify(MARKUP.trim()).slice(1, -1))
})

test('a megabyte that waits for a person is shown in pieces', async () => {
  const { ask } = await held({}, `${MARKUP}${'x'.repeat(1024 * 1024)}`)
  const { entries } = await ask('inbox')
  expect(JSON.stringify(entries).length).toBeLessThan(10_000)
  expect(entries[0]?.bodies).toEqual([
    { path: 'entry.prompt', length: 1024 * 1024 + MARKUP.length },
    ...(entries[0]?.bodies.slice(1) ?? []),
  ])
  const piece = await ask('entry', { id: ENTRY, path: 'entry.prompt', offset: '0' })
  expect(piece.text).toContain('\\u202egnp.exe')
  expect(piece.length).toBe(1024 * 1024 + MARKUP.length)
})

test('an inspector that is read-only accepts no form', async () => {
  const { store, orchestrator, ask, own, send, form } = await held({ readOnly: true })
  const head = await store.head()
  expect((await ask('inbox')).acting.problem?.message).toBe(
    'This inspector is read-only: it was started with --read-only.',
  )
  const body = JSON.stringify({ action: 'approve', entry: ENTRY, form: (await form()).form })
  expect(await send('/api/act', body, own)).toMatchObject({ status: 405, headers: { allow: 'GET' } })
  await expect(actingOn(orchestrator, true).through(async () => {})).rejects.toMatchObject({
    _tag: 'InspectorReadOnlyError',
  })
  expect(await store.head()).toBe(head)
})

test('whatever is opened and sent, each form is carried out at most once, and only an open one', async () => {
  const step = fc.oneof(fc.constant('issue' as const), fc.nat(30))
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const forms = new Forms<number>()
      const issued: string[] = []
      const done = new Map<string, number>()
      for (const one of steps) {
        if (one === 'issue') issued.push(forms.issue())
        else {
          const id = issued[one] ?? 'none'
          const sent = forms.send(id, async () => {
            done.set(id, (done.get(id) ?? 0) + 1)
            return one
          })
          if (id === 'none') await expect(sent).rejects.toMatchObject({ _tag: 'FormNotOpenError' })
          else expect(await sent).toBe(one)
        }
      }
      expect([...done.values()].every((times) => times === 1)).toBe(true)
    }),
  )
})

test('a form is forgotten when a thousand more were opened, and does nothing then', async () => {
  const forms = new Forms<string>()
  const first = forms.issue()
  for (let n = 0; n < 1000; n++) forms.issue()
  await expect(forms.send(first, async () => 'done')).rejects.toMatchObject({ _tag: 'FormNotOpenError' })
})
