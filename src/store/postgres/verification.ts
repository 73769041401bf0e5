/**
 * Verification of a log in a database: every record with its hash, what derives from the records, and every blob. It sees one
 * moment of the log, while others go on writing.
 */

import { Findings, type VerifyReport } from '../care/verify/finding.ts'
import { type BlobUse, RecordCheck } from '../care/verify/record-check.ts'
import { checkSnapshots } from '../care/verify/snapshot-check.ts'
import { type CommitEntry, recordKey } from '../level/entries.ts'
import { type DatabaseOptions, type PostgresConnection, PostgresDatabase } from './database.ts'
import { logRow, requireLog } from './session.ts'

/** Options of `verifyDatabase`. */
export interface VerifyDatabaseOptions extends DatabaseOptions {
  /** Where the files of agents are, turn by turn: their snapshots are checked, too. */
  readonly baseDir?: string
}

const PAGE = 500

/**
 * Checks the log in a database, without changing anything. Damage is reported, never thrown.
 *
 * @throws StoreNotOpened, UnsupportedFormat
 * @example
 * const { ok, findings } = await verifyDatabase('postgresql://localhost/agents')
 */
export async function verifyDatabase(
  url: string,
  options: VerifyDatabaseOptions = {},
): Promise<VerifyReport> {
  await using database = await PostgresDatabase.at(url, options)
  try {
    await using connection = await database.connect()
    return await connection.transaction(() => verified(connection, options))
  } catch (error) {
    throw database.notOpened(error)
  }
}

async function verified(
  connection: PostgresConnection,
  { baseDir }: VerifyDatabaseOptions,
): Promise<VerifyReport> {
  await connection.rows('set transaction isolation level repeatable read, read only')
  await requireLog(connection)
  const { path, schema } = connection
  const { storeId, position, hash, forReading } = await logRow(connection)
  const findings = new Findings()
  const commits = await commitsIn(connection)
  const head = { storeId, position, hash }
  const records = new RecordCheck({ path, storeId, checkpoint: position, head, commits, findings })
  await checkRecords(connection, records, findings)
  records.finish()
  if (!findings.factsAreDamaged) {
    await checkStreams(connection, records, findings)
    await checkCounts(connection, findings)
  }
  await checkBlobs(connection, records.blobs, findings)
  if (baseDir !== undefined && !forReading) await checkSnapshots(baseDir, records.snapshots, findings)
  const list = findings.list(() => undefined)
  return {
    ok: list.length === 0,
    storeId,
    facts: records.facts,
    streams: records.streams.size,
    blobs: records.blobs.size,
    findings: list,
    notes: findings.notes.map((note) => note.replaceAll(`${schema}.`, '')),
  }
}

async function commitsIn(connection: PostgresConnection): Promise<Map<string, CommitEntry>> {
  const commits = new Map<string, CommitEntry>()
  const query = `select commit_id, first, count from ${connection.schema}.commits`
  for await (const row of paged<{ commit_id: string; first: string; count: number }>(
    connection,
    query,
    'commit_id',
  ))
    commits.set(row.commit_id, { first: Number(row.first), count: row.count })
  return commits
}

async function checkRecords(connection: PostgresConnection, records: RecordCheck, findings: Findings) {
  const query = `select position, stream, version, record from ${connection.schema}.records`
  type Row = { position: string; stream: string; version: string; record: string }
  for await (const row of paged<Row>(connection, query, 'position')) {
    const position = Number(row.position)
    records.add({ key: recordKey(position), value: row.record, file: 'records' })
    const found = records.at(position)
    if (!found || (found.stream === row.stream && found.version === Number(row.version))) continue
    const problem = `it is listed as version ${row.version} of ${row.stream}`
    findings.add('index', 'records', problem, { position, stream: found.stream })
  }
}

async function checkStreams(connection: PostgresConnection, records: RecordCheck, findings: Findings) {
  const missing = new Set(records.streams.keys())
  type Row = { stream: string; version: string; summary: string | null; is_open: boolean; is_there: boolean }
  const query = `select stream, version, summary, is_open, is_there from ${connection.schema}.streams`
  for await (const { stream, version, summary, is_open: isOpen } of paged<Row>(connection, query, 'stream')) {
    missing.delete(stream)
    const checked = records.streams.get(stream)
    const problem = !checked
      ? 'it has no facts'
      : checked.version !== Number(version)
        ? `it is at version ${version}, but the log is at version ${checked.version}`
        : checked.summary !== (summary === null ? null : JSON.stringify(JSON.parse(summary)))
          ? 'its summary is not the one that was recorded last'
          : checked.open !== isOpen
            ? 'whether it has work to do is not what was recorded last'
            : null
    if (problem !== null) findings.add('index', 'streams', problem, { stream })
  }
  for (const stream of missing) findings.add('index', 'streams', 'it is missing', { stream })
}

async function checkCounts(connection: PostgresConnection, findings: Findings) {
  const { schema } = connection
  const wrong = await connection.rows<{ kind: string }>(
    `select coalesce(listed.kind, counted.kind) as kind
       from (select kind, count from ${schema}.counts where count <> 0) as listed
       full join (select split_part(stream, '/', 1) as kind, count(*) from ${schema}.streams where is_there group by 1)
         as counted on counted.kind = listed.kind
      where listed.count is distinct from counted.count`,
  )
  for (const { kind } of wrong) findings.add('index', 'counts', `the number of ${kind}s is wrong`)
}

async function checkBlobs(
  connection: PostgresConnection,
  uses: ReadonlyMap<string, BlobUse>,
  findings: Findings,
) {
  const missing = new Map(uses)
  let unused = 0
  type Row = { name: string; content_bytes: number | null; is_intact: boolean | null }
  // The content stays where it is.
  const query = `select encode(sha256, 'hex') as name, octet_length(content) as content_bytes,
    sha256(content) = sha256 as is_intact from ${connection.schema}.blobs`
  for await (const { name, content_bytes: bytes, is_intact: isIntact } of paged<Row>(
    connection,
    query,
    'name',
  )) {
    const use = uses.get(name)
    missing.delete(name)
    if (!use) unused++
    else if (bytes === null) findings.notes.push(`${name} was lost before the store was repaired.`)
    else if (!isIntact || bytes !== use.bytes)
      findings.add('blob', 'blobs', 'its content does not match its hash', use)
  }
  for (const { sha256, position, stream } of missing.values())
    findings.add('blob', 'blobs', `the body ${sha256} is missing`, { position, stream })
  if (unused > 0) findings.notes.push(`${unused} of the bodies are those of no fact.`)
}

/** All rows of a query in the order of a column that tells them apart, a page at a time. */
async function* paged<Row extends object>(connection: PostgresConnection, query: string, key: string) {
  await connection.rows(
    `declare pages no scroll cursor for select * from (${query}) as found order by ${key}`,
  )
  for (;;) {
    const rows = await connection.rows<Row>(`fetch ${PAGE} from pages`)
    yield* rows
    if (rows.length < PAGE) break
  }
  await connection.rows('close pages')
}
