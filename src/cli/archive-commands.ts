/** `log backup | restore | export | import | hash | compact`: a log as a whole, moved, compared and made smaller. */
import { once } from 'node:events'
import { resolve } from 'node:path'
import { InvalidInputError } from '../events/errors/usage.ts'
import type { ArchiveSummary } from '../store/care/archive/writer.ts'
import type { CompactionReport } from '../store/care/compaction.ts'
import type { RestoredStore } from '../store/care/restore.ts'
import { commandLogger } from './command-logger.ts'
import { type GlobalOptions, hasStore } from './global-options.ts'
import { inert, terminal } from './terminal.ts'

export interface ExportCommandOptions {
  readonly stream?: string
  readonly after?: number
  readonly redact?: boolean
}

/** Where nothing is, nothing can be saved: that must not look like success. */
function storeOf(globals: GlobalOptions): string {
  if (hasStore(globals)) return resolve(globals.baseDir)
  throw new InvalidInputError({
    what: globals.baseDir,
    problem: 'there is no store in it',
    hint: 'Name the directory with --base-dir.',
  })
}

/** Through its owner, where another process has it open. */
async function logOf(globals: GlobalOptions) {
  const { openLog } = await import('../remote/live-log.ts')
  return (await openLog(storeOf(globals), { logger: await commandLogger(globals) })).store
}

export async function backup(globals: GlobalOptions, file: string): Promise<void> {
  const { backupDirectory } = await import('../store/care/backup.ts')
  const done = await backupDirectory(storeOf(globals), file, { logger: await commandLogger(globals) })
  const { json, value, line } = terminal(globals)
  if (json) return value(done)
  line(`Backed up ${counted(done.records, 'fact')} and ${counted(done.blobs, 'large body', 'large bodies')}.`)
  noteLost(globals, done)
}

export async function restore(globals: GlobalOptions, file: string, to: string): Promise<void> {
  const library = await import('../history/log-archive.ts')
  printRestored(globals, to, await library.restore(file, resolve(to)))
}

export async function importLog(globals: GlobalOptions, file: string, to = globals.baseDir): Promise<void> {
  const library = await import('../history/log-archive.ts')
  const source = file === '-' ? { name: 'stdin', bytes: process.stdin } : file
  printRestored(globals, to, await library.importLog(source, resolve(to)))
}

function printRestored(globals: GlobalOptions, to: string, restored: RestoredStore): void {
  const { json, value, line, note } = terminal(globals)
  if (json) {
    value(restored)
    return
  }
  line(`Made a store of ${counted(restored.records, 'fact')} in ${inert(to)}.`)
  note(
    restored.forReading
      ? 'It is for reading: log, replay and agent show work on it, and nothing can be asked in it.'
      : 'It is the same store as the one it was made of: go on with one of the two, never with both. ' +
          'The sessions and workspaces of the agents are not in it.',
  )
}

export async function exportLog(
  globals: GlobalOptions,
  file: string,
  { stream, after, redact = false }: ExportCommandOptions,
): Promise<void> {
  const library = await import('../history/log-archive.ts')
  const { StreamNotFoundError } = await import('../events/errors/history.ts')
  const options = {
    redacted: redact,
    ...(stream === undefined ? {} : { stream }),
    ...(after === undefined ? {} : { after }),
  }
  await using store = await logOf(globals)
  if (stream !== undefined && (await store.head(stream)) === 0) throw new StreamNotFoundError({ stream })
  if (file === '-') return await print(library.exportText(store, options))
  const { json, value, line } = terminal(globals)
  const done = await library.exportLog(store, file, options)
  if (json) return value(done)
  line(`Exported ${counted(done.records, 'fact')}${redact ? ', without their texts' : ''}.`)
  noteLost(globals, done)
}

function noteLost(globals: GlobalOptions, { lostBlobs }: ArchiveSummary): void {
  if (lostBlobs === 0) return
  const what = counted(lostBlobs, 'large body', 'large bodies')
  terminal(globals).note(
    `${what} of it had been lost when the store was repaired, and ${lostBlobs === 1 ? 'stays' : 'stay'} so.`,
  )
}

/** Whoever reads may have seen enough: that is an end like any other. */
async function print(pieces: AsyncIterable<string>): Promise<void> {
  let failure: NodeJS.ErrnoException | undefined
  process.stdout.on('error', (error) => {
    failure = error
  })
  for await (const piece of pieces) {
    if (!process.stdout.write(piece)) await once(process.stdout, 'drain').catch(() => {})
    if (failure) break
  }
  if (failure && failure.code !== 'EPIPE') throw failure
}

export async function hash(globals: GlobalOptions): Promise<void> {
  const { stateHash } = await import('../history/log-archive.ts')
  await using store = await logOf(globals)
  const { json, value, line, style } = terminal(globals)
  const whole = await stateHash(store, (one) => {
    if (json) value(one)
    else line(`${one.hash}  ${one.stream}  ${style('dim', `version ${one.version}`)}`)
  })
  if (json) return value({ ...whole, stream: null })
  line(`${whole.hash}  ${style('bold', 'the whole')}  ${style('dim', `position ${whole.position}`)}`)
}

export async function compact(
  globals: GlobalOptions,
  options: { readonly before?: Date; readonly keep?: number; readonly dryRun?: boolean },
): Promise<void> {
  const { compactLog } = await import('../history/log-archive.ts')
  const report = await compactLog(storeOf(globals), options)
  const { json, value, line } = terminal(globals)
  if (json) return value(report)
  line(compactionLine(report, options.dryRun ?? false))
}

function compactionLine(
  { facts, characters, orphans, bytesBefore, bytesAfter }: CompactionReport,
  dry: boolean,
) {
  const blobs = counted(orphans.blobs, 'large body', 'large bodies')
  if (dry) {
    return `Would drop the texts of ${counted(facts, 'fact')} and ${blobs}: about ${characters + orphans.bytes} bytes.`
  }
  return `Dropped the texts of ${counted(facts, 'fact')} and ${blobs}: ${bytesBefore} bytes on disk are now ${bytesAfter}.`
}

const counted = (count: number, one: string, many = `${one}s`) => `${count} ${count === 1 ? one : many}`
