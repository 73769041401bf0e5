/** References to blobs: made from a text, checked against its bytes, and found in the data of facts. */
import { hash } from 'node:crypto'
import { CorruptBlob } from '../events/errors/store.ts'
import { InvalidInputError } from '../events/errors/usage.ts'
import type { Json } from '../events/json.ts'
import type { BlobReference } from './blobs.ts'

const SHA256 = /^[0-9a-f]{64}$/

export function blobReference(text: string): { reference: BlobReference; content: Buffer } {
  const content = Buffer.from(text, 'utf8')
  if (content.toString('utf8') !== text) {
    throw new InvalidInputError({
      what: 'blob',
      problem: 'the text contains half of a surrogate pair, which UTF-8 cannot represent',
    })
  }
  return { reference: { sha256: hash('sha256', content), bytes: content.byteLength }, content }
}

/** Checks a reference before it becomes part of a path. */
export function checkReference(reference: BlobReference): BlobReference {
  if (SHA256.test(reference.sha256)) return reference
  throw new InvalidInputError({ what: 'blob', problem: 'its reference is not a sha-256 in hex' })
}

/** The text if the bytes match the reference; otherwise throws {@link CorruptBlob}. */
export function checkBlob({ sha256, bytes }: BlobReference, content: Buffer, file: string): string {
  if (content.byteLength === bytes && hash('sha256', content) === sha256) return content.toString('utf8')
  throw new CorruptBlob({ sha256, file, problem: 'its content does not match its hash' })
}

/**
 * The references in a fact's data; none in what says that it was dropped. An object with fields besides the two of a reference is not one: it describes a blob
 * (a placed file, a dropped body) without needing it.
 */
export function* blobReferences(data: Json): Generator<BlobReference, void, undefined> {
  if (data === null || typeof data !== 'object' || ('dropped' in data && data.dropped === true)) return
  if (isReference(data)) yield data
  else for (const value of Object.values(data)) yield* blobReferences(value)
}

function isReference(value: object): value is BlobReference {
  const { sha256, bytes } = value as Partial<BlobReference>
  return (
    typeof sha256 === 'string' &&
    SHA256.test(sha256) &&
    Number.isSafeInteger(bytes) &&
    Object.keys(value).length === 2
  )
}
