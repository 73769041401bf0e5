/** The log of a store that another process has open: the reading half of the port. Writes go through commands. */
import type { Recorded } from '../events/envelope.ts'
import { OwnerOnly } from '../events/errors/owner.ts'
import { CorruptRecord, SequenceGap } from '../events/errors/store.ts'
import { checkStreamName } from '../events/ids.ts'
import { checkBlob, checkReference } from '../store/blob-reference.ts'
import type { StreamHead } from '../store/event-store.ts'
import type { ChainedStore } from '../store/level/chained-store.ts'
import { decodeRecord, recordKey } from '../store/level/entries.ts'
import type { Snapshot } from '../store/snapshots.ts'
import type { OwnerClient } from './client.ts'

/**
 * Reads a store through its owner. The owner verifies each fact; gaps in the numbering are detected here, and the
 * records of `chain` and the bodies are verified again.
 */
export function remoteStore(client: OwnerClient): ChainedStore {
  const { storeId, epoch, forReading } = client.greeting
  const path = client.baseDir
  const refuse = async () => {
    throw new OwnerOnly({ path, pid: client.pid, what: 'writing to its log' })
  }
  const store: ChainedStore = {
    storeId,
    epoch,
    forReading,
    baseDir: path,
    append: refuse,
    appendAll: refuse,
    blobs: {
      put: refuse,
      async get(reference) {
        const { sha256, bytes } = checkReference(reference)
        const text = await client.text('/blob', { sha256, bytes })
        return checkBlob(reference, Buffer.from(text, 'utf8'), path)
      },
    },
    snapshots: {
      async load(stream) {
        const { snapshot } = (await client.value('/snapshot', { stream: checkStreamName(stream) })) as {
          snapshot: Snapshot | null
        }
        return snapshot ?? undefined
      },
      // Snapshots are the owner's cache.
      async save() {},
      clear: refuse,
    },
    async *read(stream, { after, to, limit, direction } = {}) {
      const facts = client.values('/facts', { stream: checkStreamName(stream), after, to, limit, direction })
      const step = direction === 'backwards' ? -1 : 1
      yield* numbered(facts, step === 1 ? (after ?? 0) : null, step, ({ version }) => version, stream)
    },
    async *readAll({ after = 0, to, limit } = {}) {
      const facts = client.values('/facts', { after, to, limit })
      yield* numbered(facts, after, 1, ({ position }) => position, null)
    },
    async *follow({ after = 0, signal, only } = {}) {
      const facts = client.values('/follow', { after, ...only }, signal)
      if (only) yield* facts as AsyncGenerator<Recorded>
      else yield* numbered(facts, after, 1, ({ position }) => position, null)
    },
    async *chain({ after = 0, to } = {}) {
      let position = after
      let previousHash: string | null = null
      for await (const value of client.values('/records', { after, to })) {
        position++
        const record = decodeRecord({ storeId, path }, position, value as string)
        if (previousHash !== null && record.previousHash !== previousHash) {
          const problem = 'it does not follow the record before it'
          throw new CorruptRecord({ position, key: recordKey(position), file: path, problem })
        }
        previousHash = record.hash
        yield record
      }
    },
    async head(stream) {
      const query = stream === undefined ? {} : { stream: checkStreamName(stream) }
      return ((await client.value('/head', query)) as { head: number }).head
    },
    async *streams({ prefix, open } = {}) {
      for await (const head of client.values('/streams', { prefix, open })) yield head as StreamHead
    },
    async [Symbol.asyncDispose]() {
      client.close()
    },
  }
  return store

  async function* numbered(
    facts: AsyncIterable<unknown>,
    after: number | null,
    step: 1 | -1,
    numberOf: (recorded: Recorded) => number,
    stream: string | null,
  ): AsyncGenerator<Recorded> {
    let before = after
    for await (const fact of facts as AsyncIterable<Recorded>) {
      const found = numberOf(fact)
      const expected = before === null ? found : before + step
      if (found !== expected) throw new SequenceGap({ stream, expected, found, file: path })
      before = found
      yield fact
    }
  }
}
