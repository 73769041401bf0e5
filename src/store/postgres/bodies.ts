/** Blobs and snapshots in tables of the database. */
import { BodyLost } from '../../events/errors/archive.ts'
import { CorruptBlob } from '../../events/errors/store.ts'
import { blobReference, checkBlob, checkReference } from '../blob-reference.ts'
import type { Blobs } from '../blobs.ts'
import type { Snapshot, Snapshots } from '../snapshots.ts'
import type { PostgresDatabase } from './database.ts'

export function tableBlobs(database: Pick<PostgresDatabase, 'schema' | 'path' | 'rows'>): Blobs {
  const { schema, path } = database
  return {
    async put(text) {
      const { reference, content } = blobReference(text)
      // An intact blob is not rewritten; a damaged or a lost one is.
      await database.rows(
        'put blob',
        `insert into ${schema}.blobs as old (sha256, bytes, content) values (decode($1, 'hex'), $2, $3)
         on conflict (sha256) do update set content = excluded.content, bytes = excluded.bytes
         where old.content is null or sha256(old.content) <> old.sha256`,
        [reference.sha256, reference.bytes, content],
      )
      return reference
    },
    async get(reference) {
      const { sha256, bytes } = checkReference(reference)
      const [row] = await database.rows<{ content: Buffer | null }>(
        'get blob',
        `select content from ${schema}.blobs where sha256 = decode($1, 'hex')`,
        [sha256],
      )
      if (!row) throw new CorruptBlob({ sha256, file: path, problem: 'it is missing' })
      if (row.content === null) throw new BodyLost({ sha256, bytes })
      return checkBlob(reference, row.content, path)
    },
  }
}

/** A crash may lose what was saved last, and so the disk is not waited for. */
export function tableSnapshots(database: PostgresDatabase): Snapshots {
  const { schema } = database
  return {
    async load(stream) {
      const [row] = await database.rows<{ snapshot: string }>(
        'load snapshot',
        `select snapshot from ${schema}.snapshots where stream = $1`,
        [stream],
      )
      return row && (JSON.parse(row.snapshot) as Snapshot)
    },
    async save(stream, snapshot) {
      await database.rows(
        'save snapshot',
        `with hurry as materialized (select set_config('synchronous_commit', 'off', true))
         insert into ${schema}.snapshots (stream, snapshot) select $1, $2 from hurry
         on conflict (stream) do update set snapshot = excluded.snapshot`,
        [stream, JSON.stringify(snapshot)],
      )
    },
    async clear() {
      await database.rows('clear snapshots', `delete from ${schema}.snapshots`)
    },
  }
}
