/** What every kind of blobs does with a body: turn it into bytes and a reference, and check what comes back. */
import { hash } from 'node:crypto'
import { CorruptBlob } from '../events/errors/store.ts'
import { InvalidInputError } from '../events/errors/usage.ts'
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

/** A reference becomes a path: it is checked first. */
export function checkReference(reference: BlobReference): BlobReference {
  if (SHA256.test(reference.sha256)) return reference
  throw new InvalidInputError({ what: 'blob', problem: 'its reference is not a sha-256 in hex' })
}

/** The text, if the bytes are what was put; else {@link CorruptBlob}. */
export function checkBlob({ sha256, bytes }: BlobReference, content: Buffer, file: string): string {
  if (content.byteLength === bytes && hash('sha256', content) === sha256) return content.toString('utf8')
  throw new CorruptBlob({ sha256, file, problem: 'its content does not match its hash' })
}
