/** Blobs as a port: bodies too large for a fact, each stored once under the hash of its content. */

/** What a fact holds in place of a large body. */
export interface BlobReference {
  /** SHA-256 of the UTF-8 bytes, in hex. */
  readonly sha256: string
  readonly bytes: number
}

/** *Contract:* `put` is idempotent, and durable once it resolves; `get` returns exactly what was put or throws CorruptBlob. */
export interface Blobs {
  put(text: string): Promise<BlobReference>
  get(reference: BlobReference): Promise<string>
}
