/** Bodies that are too large for a fact, stored once each under the hash of their content. */

/** What a fact holds of a large body. */
export interface BlobReference {
  /** sha-256 of the utf8 bytes, in hex. */
  readonly sha256: string
  readonly bytes: number
}

/** *Contract:* `put` is durable when it resolves and idempotent; `get` returns exactly what was put or throws CorruptBlob. */
export interface Blobs {
  put(text: string): Promise<BlobReference>
  get(reference: BlobReference): Promise<string>
}
