/** Builds a log in a database from existing facts, in one transaction: others see all of it, or nothing. */
import { DatabaseNotEmpty } from '../../events/errors/archive.ts'
import type { BlobReference } from '../blobs.ts'
import { writingError } from '../care/archive/writer.ts'
import type { BuildStore, EncodedRecord, LogBuilder } from '../care/store-builder.ts'
import { hideFromGit, makeDirectory } from '../directory.ts'
import { genesisHash, type LogEnd } from '../level/entries.ts'
import { isThere } from '../stream-count.ts'
import { tableBlobs } from './bodies.ts'
import { type DatabaseOptions, type PostgresConnection, PostgresDatabase } from './database.ts'
import { openForBuilding } from './session.ts'

/** The most facts, and characters of them, in one statement. */
const GROUP_FACTS = 1000
const GROUP_LENGTH = 4 * 1024 * 1024

/** Options of `restoreDatabase` and `importDatabase`. */
export interface BuildOptions extends DatabaseOptions {
  /** Where the files of agents go, turn by turn, if there are any in the archive. Without it they are left out. */
  readonly baseDir?: string
}

/** @throws DatabaseNotEmpty, StoreInUse, StoreNotOpened, ArchiveNotWritten */
export const buildInDatabase =
  (url: string, options: BuildOptions = {}): BuildStore =>
  async ({ storeId, forReading }, fill) => {
    await using database = await PostgresDatabase.at(url, options)
    try {
      await using connection = await openForBuilding(database)
      return await connection.transaction(async () => {
        const { schema, path } = connection
        const [found] = await connection.rows<{ position: string }>(
          `select position from ${schema}.store for update`,
        )
        if (Number(found?.position) > 0) throw new DatabaseNotEmpty({ path })
        const builder = new TableBuilder(connection, storeId, await madeDirectory(options.baseDir))
        await fill(builder)
        await builder.finish(forReading)
        return builder.end
      })
    } catch (error) {
      throw writingError(options.baseDir ?? database.path, database.notOpened(error))
    }
  }

async function madeDirectory(path: string | undefined): Promise<string | undefined> {
  if (path === undefined) return undefined
  await makeDirectory(path)
  await hideFromGit(path)
  return path
}

class TableBuilder implements LogBuilder {
  readonly directory: string | undefined
  readonly blobs
  readonly #connection: PostgresConnection
  readonly #storeId: string
  #end: LogEnd
  #epoch = 0
  #group: EncodedRecord[] = []
  #length = 0
  #lost: BlobReference[] = []

  constructor(connection: PostgresConnection, storeId: string, directory: string | undefined) {
    const { schema, path } = connection
    this.directory = directory
    this.blobs = tableBlobs({ schema, path, rows: (_, text, values) => connection.rows(text, values) })
    this.#connection = connection
    this.#storeId = storeId
    this.#end = { position: 0, hash: genesisHash(storeId) }
  }

  get end(): LogEnd {
    return this.#end
  }

  async add(record: EncodedRecord): Promise<void> {
    this.#group.push(record)
    this.#length += record.value.length
    this.#end = { position: record.recorded.position, hash: record.hash }
    this.#epoch = Math.max(this.#epoch, record.recorded.epoch)
    if (this.#group.length >= GROUP_FACTS || this.#length >= GROUP_LENGTH) await this.#write()
  }

  loseBody(reference: BlobReference): void {
    this.#lost.push(reference)
  }

  async finish(forReading: boolean): Promise<void> {
    await this.#write()
    const { schema } = this.#connection
    await this.#connection.rows(
      `insert into ${schema}.counts (kind, count)
         select split_part(stream, '/', 1), count(*) from ${schema}.streams where is_there group by 1`,
    )
    await this.#connection.rows(
      `update ${schema}.store set store_id = $1, for_reading = $2, position = $3, hash = $4`,
      [this.#storeId, forReading, this.#end.position, this.#end.hash],
    )
    // Also larger than those of the writers that the empty log had, and one that was cut off has lost it.
    await this.#connection.rows(
      `select setval('${schema}.epochs', greatest($1, nextval('${schema}.epochs')))`,
      [this.#epoch],
    )
    await this.#connection.rows(`select ${schema}.open_writer(true)`)
  }

  async #write(): Promise<void> {
    const { schema } = this.#connection
    const group = this.#group.map(({ recorded, note, value }) => ({ ...recorded, note, value }))
    await this.#connection.rows(
      `insert into ${schema}.records (position, stream, version, record)
         select * from unnest($1::bigint[], $2::text[], $3::bigint[], $4::text[])`,
      [
        group.map(({ position }) => position),
        group.map(({ stream }) => stream),
        group.map(({ version }) => version),
        group.map(({ value }) => value),
      ],
    )
    const summaries = new Map(
      group.flatMap(({ stream, note }) => (note?.summary ? [[stream, note.summary]] : [])),
    )
    const heads = [...new Map(group.map(({ stream, version }) => [stream, version]))]
    await this.#connection.rows(
      `insert into ${schema}.streams as old (stream, version, summary, is_open, is_there)
         select * from unnest($1::text[], $2::bigint[], $3::text[], $4::boolean[], $5::boolean[])
         on conflict (stream) do update set
           version = excluded.version,
           summary = coalesce(excluded.summary, old.summary),
           is_open = case when excluded.summary is null then old.is_open else excluded.is_open end,
           is_there = case when excluded.summary is null then old.is_there else excluded.is_there end`,
      [
        heads.map(([stream]) => stream),
        heads.map(([, version]) => version),
        heads.map(([stream]) => (summaries.has(stream) ? JSON.stringify(summaries.get(stream)) : null)),
        heads.map(([stream]) => summaries.get(stream)?.open ?? false),
        heads.map(([stream]) => isThere(summaries.get(stream) ?? null)),
      ],
    )
    const commits = group.flatMap(({ position, note }) =>
      note?.commitId === undefined ? [] : [{ id: note.commitId, position, count: note.count ?? 1 }],
    )
    await this.#connection.rows(
      `insert into ${schema}.commits (commit_id, first, count)
         select * from unnest($1::text[], $2::bigint[], $3::int[])`,
      [
        commits.map(({ id }) => id),
        commits.map(({ position, count }) => position - count + 1),
        commits.map(({ count }) => count),
      ],
    )
    await this.#connection.rows(
      `insert into ${schema}.blobs (sha256, bytes)
         select decode(lost.sha256, 'hex'), lost.bytes from unnest($1::text[], $2::bigint[]) as lost (sha256, bytes)
         on conflict do nothing`,
      [this.#lost.map(({ sha256 }) => sha256), this.#lost.map(({ bytes }) => bytes)],
    )
    this.#group = []
    this.#lost = []
    this.#length = 0
  }
}
