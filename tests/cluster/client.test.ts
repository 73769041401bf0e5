/** How a client reaches an agent whose labels have changed. */
import { once } from 'node:events'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type AgentContext, changes } from '../../src/actors/agent/state.ts'
import { ClusterClient, clusterPlacement, type Transport } from '../../src/cluster/client.ts'
import { TaskNotHeldError } from '../../src/events/errors/hold.ts'
import { Fenced } from '../../src/events/errors/store.ts'
import { ClosedError } from '../../src/events/errors/usage.ts'
import { errorLine } from '../../src/owner/wire.ts'

const GPU = { address: 'labels-01/a', requires: ['gpu'] }
const ANYWHERE = { address: 'a', requires: [] }
const elsewhere = JSON.stringify(errorLine(new Fenced({ stream: 'agent/a' })))

const never = new Promise<never>(() => {})

interface World {
  readonly isNowhere: boolean
  /** What answers at each address; what is not here never does. */
  readonly answers: Readonly<Record<string, string>>
  /** The labels that no worker has any more. */
  readonly gone?: readonly string[]
}

/** A client, and the addresses that it has asked. */
function clientIn({ isNowhere, answers, gone = [] }: World) {
  const asked: string[] = []
  const transport: Pick<Transport, 'command'> = {
    async command(_, address) {
      asked.push(address)
      return answers[address] ?? never
    },
  }
  const client = new ClusterClient(transport as Transport, {
    of: async () => (isNowhere ? ANYWHERE : { address: 'labels-02/a', requires: ['gpu2'] }),
    gone: (requires) => (gone.includes(String(requires)) ? Promise.resolve() : never),
    before: async () => [GPU, ANYWHERE],
    isNowhere: async () => isNowhere,
  })
  onTestFinished(() => client.close())
  return { client, asked }
}

test('That an agent requires other labels than before is known, whatever these are called', () => {
  /** What is known after it required these, one after the other. */
  const before = (...sets: readonly (readonly string[] | undefined)[]) => {
    let context = { config: {} } as AgentContext
    for (const requires of sets)
      context = { ...context, ...changes.AgentConfigured(context, { config: { requires } } as never, '') }
    return context.requiredBefore
  }
  expect(before(['undefined'])).toEqual([[]])
  expect(before(['undefined'], undefined)).toEqual([['undefined']])
  expect(before(undefined, undefined)).toBeUndefined()
  expect(before(['gpu'], ['gqu'], ['gpu2'])).toEqual([['gqu'], ['gpu'], []])
  expect(before(['gpu'], ['gqu'], ['gpu'])).toEqual([['gqu'], []])
  expect(before(...Array.from({ length: 20 }, (_, at) => [`gpu${at}`]))?.length).toBe(8)
})

describe('What changes or ends an agent whose labels no worker has', () => {
  test('is done where it still lives', async () => {
    const { client, asked } = clientIn({ isNowhere: true, answers: { [GPU.address]: '{"result":"edited"}' } })
    expect(await client.command('a', 'edit', [{}])).toBe('edited')
    expect(asked).toEqual([GPU.address])
  })

  test('is not done once more elsewhere if it is refused there', async () => {
    const error = new TaskNotHeldError({ taskId: 't1' })
    const answers = { [GPU.address]: JSON.stringify(errorLine(error)), a: '{"result":null}' }
    const { client, asked } = clientIn({ isNowhere: true, answers })
    await expect(client.command('a', 'reject', ['t1'])).rejects.toMatchObject({ _tag: 'TaskNotHeldError' })
    expect(asked).toEqual([GPU.address])
  })

  test.each([
    ['does not live there', { answers: { [GPU.address]: elsewhere, a: '{"result":"edited"}' } }],
    ['was there, and no worker is any more', { answers: { a: '{"result":"edited"}' }, gone: ['gpu'] }],
  ])('is done by any worker if it %s', async (_, world) => {
    const { client, asked } = clientIn({ isNowhere: true, ...world })
    expect(await client.command('a', 'edit', [{}])).toBe('edited')
    expect(asked).toEqual([GPU.address, 'a'])
  })
})

test('A cancellation is heard where an agent works, while what it belongs to now waits for that', async () => {
  const { client } = clientIn({ isNowhere: false, answers: { [GPU.address]: '{"result":true}' } })
  expect(await client.command('a', 'cancel', ['t1', 'not now'])).toBe(true)
})

test.each([true, false])(
  'A task that nobody wants any more is cancelled while it waits for a worker with its labels, whether one knew it before (%s)',
  async (isKnown) => {
    const told: string[] = []
    const transport = {
      async command(_: string, __: string, request: string) {
        told.push(JSON.parse(request).method)
        return JSON.stringify({ result: isKnown })
      },
      async ask() {
        throw new Error('it was sent')
      },
    }
    const client = new ClusterClient(transport as unknown as Transport, {
      async of({ method, signal }) {
        if (method !== 'ask') return ANYWHERE
        await once(signal, 'abort')
        throw new ClosedError({ what: 'cluster' })
      },
      ...{ gone: () => never, before: async () => [], isNowhere: async () => true },
    })
    onTestFinished(() => client.close())
    const wanted = new AbortController()
    const options = { taskId: 't1', signal: wanted.signal }
    const reply = Promise.resolve(clusterPlacement(client).call('a', 'ask', ['x', options], []))
    wanted.abort('interrupted')
    await expect(reply).rejects.toMatchObject({
      _tag: 'TaskCancelledError',
      message: expect.stringContaining('interrupted'),
    })
    expect(told).toEqual(['cancel'])
  },
)
