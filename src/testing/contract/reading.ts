/** The store's contract for reading facts, listing streams, and bodies. */
import assert from 'node:assert/strict'
import type { EventStore } from '../../store/event-store.ts'
import { all, type Checks, counted, countedTo, first, numbers, positions, upTo, versions } from './kit.ts'

export const reading: Checks = {
  async 'Reading a stream respects after, to, limit and direction'(store) {
    await store.append('agent/b', countedTo(2))
    await store.append('agent/a', countedTo(10))
    const read = async (options: Parameters<EventStore['read']>[1]) =>
      numbers(await all(store.read('agent/a', options)))
    assert.deepEqual(await read({}), upTo(10))
    assert.deepEqual(await read({ after: 7 }), [8, 9, 10])
    assert.deepEqual(await read({ to: 2 }), [1, 2])
    assert.deepEqual(await read({ after: 3, to: 6 }), [4, 5, 6])
    assert.deepEqual(await read({ after: 3, limit: 2 }), [4, 5])
    assert.deepEqual(await read({ limit: 0 }), [])
    assert.deepEqual(await read({ after: 10 }), [])
    assert.deepEqual(await read({ after: 99, to: 5 }), [])
    assert.deepEqual(await read({ to: 99 }), upTo(10))
    assert.deepEqual(await read({ direction: 'backwards' }), upTo(10).reverse())
    assert.deepEqual(await read({ direction: 'backwards', limit: 1 }), [10])
    assert.deepEqual(await read({ direction: 'backwards', after: 3, to: 6, limit: 2 }), [6, 5])
  },
  async 'An unknown direction is refused'(store) {
    await store.append('agent/a', countedTo(2))
    for (const direction of ['backward', 'FORWARDS', '', 1]) {
      const facts = store.read('agent/a', { direction: direction as never })
      await assert.rejects(all(facts), { _tag: 'InvalidInputError', message: /direction/ })
    }
  },
  async 'Reading the whole log respects after, to and limit'(store) {
    for (const n of upTo(10)) await store.append(`agent/a${n % 3}`, [counted(n)])
    const read = async (options: Parameters<EventStore['readAll']>[0]) =>
      numbers(await all(store.readAll(options)))
    assert.deepEqual(await read({}), upTo(10))
    assert.deepEqual(await read({ after: 7 }), [8, 9, 10])
    assert.deepEqual(await read({ after: 3, to: 6 }), [4, 5, 6])
    assert.deepEqual(await read({ limit: 3 }), [1, 2, 3])
    assert.deepEqual(await read({ after: 10 }), [])
  },
  async 'More facts than fit on one page are read completely and in order'(store) {
    const count = 2500
    for (let n = 0; n < count; n += 500) await store.append('agent/a', countedTo(500))
    await store.append('agent/b', [counted(1)])
    assert.deepEqual(versions(await all(store.read('agent/a'))), upTo(count))
    assert.deepEqual(
      versions(await all(store.read('agent/a', { direction: 'backwards' }))),
      upTo(count).reverse(),
    )
    assert.deepEqual(positions(await all(store.readAll())), upTo(count + 1))
  },
  async 'A reader can stop at any time'(store) {
    await store.append('agent/a', countedTo(50))
    assert.deepEqual(numbers(await first(store.read('agent/a'), 3)), [1, 2, 3])
    assert.deepEqual(numbers(await first(store.readAll(), 3)), [1, 2, 3])
  },
  async 'An unknown stream has no facts, and version 0'(store) {
    await store.append('agent/ab', [counted(1)])
    assert.deepEqual(await all(store.read('agent/a')), [])
    assert.equal(await store.head('agent/a'), 0)
  },
  async 'The head is the last version of a stream, and the last position of the log'(store) {
    assert.equal(await store.head(), 0)
    await store.append('agent/a', countedTo(2))
    await store.append('agent/b', countedTo(3))
    assert.deepEqual(
      [await store.head('agent/a'), await store.head('agent/b'), await store.head()],
      [2, 3, 5],
    )
  },
}

export const listing: Checks = {
  async 'Streams are listed in order of their names, with their versions'(store) {
    for (const name of ['run/b', 'agent/b', 'agent/a-1', 'agent/a', 'agent/a_1'])
      await store.append(name, [counted(1)])
    await store.append('agent/b', [counted(2)])
    const listed = (await all(store.streams())).map(({ stream, version }) => `${stream} ${version}`)
    assert.deepEqual(listed, ['agent/a 1', 'agent/a-1 1', 'agent/a_1 1', 'agent/b 2', 'run/b 1'])
    const agents = (await all(store.streams({ prefix: 'agent/a' }))).map(({ stream }) => stream)
    assert.deepEqual(agents, ['agent/a', 'agent/a-1', 'agent/a_1'])
  },
  async 'A summary lasts until the next one, and decides whether its stream is open'(store) {
    const summary = (status: string, open: boolean) => ({ summary: { status, open, info: { status } } })
    await store.append('agent/a', [counted(1)], summary('busy', true))
    await store.append('agent/b', [counted(1)], summary('idle', false))
    await store.append('agent/c', [counted(1)])
    await store.append('agent/a', [counted(2)])
    const listed = await all(store.streams())
    assert.deepEqual(listed, [
      { stream: 'agent/a', version: 2, ...summary('busy', true) },
      { stream: 'agent/b', version: 1, ...summary('idle', false) },
      { stream: 'agent/c', version: 1, summary: null },
    ])
    assert.deepEqual(await all(store.streams({ open: true })), listed.slice(0, 1))
    await store.append('agent/a', [counted(3)], summary('idle', false))
    assert.deepEqual(await all(store.streams({ open: true })), [])
  },
}

export const bodies: Checks = {
  async 'A body is read as it was written, and writing it again changes nothing'(store) {
    const text = `${'ü'.repeat(100_000)}\u0000\r\n`
    const reference = await store.blobs.put(text)
    assert.equal(reference.bytes, Buffer.byteLength(text))
    assert.deepEqual(await Promise.all([store.blobs.put(text), store.blobs.put(text)]), [
      reference,
      reference,
    ])
    assert.equal(await store.blobs.get(reference), text)
    assert.equal(await store.blobs.get(await store.blobs.put('')), '')
  },
  async 'Reading a missing body is an error, as is an invalid reference'(store) {
    const missing = { sha256: 'a'.repeat(64), bytes: 1 }
    await assert.rejects(store.blobs.get(missing), { _tag: 'CorruptBlob' })
    await assert.rejects(store.blobs.get({ sha256: '../../store.json', bytes: 1 }))
    const { sha256 } = await store.blobs.put('text')
    await assert.rejects(store.blobs.get({ sha256, bytes: 5 }), { _tag: 'CorruptBlob' })
  },
}
