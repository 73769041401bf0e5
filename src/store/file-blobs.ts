/** Blobs as files, each named after the hash of its content. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { BodyLost } from '../events/errors/archive.ts'
import { CorruptBlob, StoreReadOnly } from '../events/errors/store.ts'
import { blobReference, checkBlob, checkReference } from './blob-reference.ts'
import type { BlobReference, Blobs } from './blobs.ts'
import {
  alreadyExists,
  DIRECTORY_MODE,
  isMissing,
  readPlainFile,
  syncDirectory,
  writeWholeFile,
} from './directory.ts'

/** Whether a body is known to be lost since before the store was repaired. */
export type IsLost = (sha256: string) => Promise<boolean>

export function fileBlobs(directory: string, isLost: IsLost = async () => false): Blobs {
  /** Concurrent puts of the same body share one write. */
  const inFlight = new Map<string, Promise<void>>()

  const pathOf = (sha256: string) => join(directory, sha256.slice(0, 2), sha256)

  const read = async (reference: BlobReference): Promise<string> => {
    const { sha256, bytes } = checkReference(reference)
    const file = pathOf(sha256)
    try {
      return checkBlob(reference, await readPlainFile(file), file)
    } catch (cause) {
      if (await isLost(sha256)) throw new BodyLost({ sha256, bytes }, { cause })
      if (cause instanceof CorruptBlob) throw cause
      const problem = isMissing(cause) ? 'its file is missing' : (cause as Error).message
      throw new CorruptBlob({ sha256, file, problem }, { cause })
    }
  }

  const write = async (reference: BlobReference, content: Uint8Array): Promise<void> => {
    // An intact blob is not rewritten; a damaged one is.
    const intact = await read(reference).then(
      () => true,
      () => false,
    )
    if (intact) return
    const file = pathOf(reference.sha256)
    try {
      // Not the directory itself: a store that was removed does not reappear.
      await mkdir(join(file, '..'), { mode: DIRECTORY_MODE }).catch((error) => {
        if (!alreadyExists(error)) throw error
      })
      await writeWholeFile(file, content)
      await syncDirectory(directory)
    } catch (cause) {
      throw new StoreReadOnly({ path: directory, problem: (cause as Error).message }, { cause })
    }
  }

  return {
    get: read,
    async put(text) {
      const { reference, content } = blobReference(text)
      const { sha256 } = reference
      let writing = inFlight.get(sha256)
      if (!writing) {
        writing = write(reference, content).finally(() => inFlight.delete(sha256))
        inFlight.set(sha256, writing)
      }
      await writing
      return reference
    },
  }
}
