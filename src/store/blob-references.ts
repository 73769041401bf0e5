/** Which blobs a fact refers to, whatever its kind: wherever its data holds a reference, and nothing more, as an object. */
import type { Json } from '../events/json.ts'
import type { BlobReference } from './blobs.ts'

const SHA256 = /^[0-9a-f]{64}$/

/**
 * The references in a fact's data. An object that holds more than the two fields of a reference is none: it tells of a
 * body (a file that was placed, a body that was dropped) and does not need it.
 */
export function* blobReferences(data: Json): Generator<BlobReference, void, undefined> {
  if (data === null || typeof data !== 'object') return
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
