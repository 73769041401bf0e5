/** `log backup | restore | export | import | hash | compact`: a log as a whole, moved, compared or made smaller. */

import { once } from 'node:events'
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { lastVersion } from '../../actors/engine/fold-at.ts'
import { plural } from '../../events/figures.ts'
import { escapedJson } from '../../events/hidden-characters.ts'
import { defined } from '../../events/json.ts'
import type { ArchiveSummary } from '../../store/care/archive/writer.ts'
import type { CompactionReport } from '../../store/care/compaction.ts'
import type { RestoredStore } from '../../store/care/restore.ts'
import type { EventStore } from '../../store/event-store.ts'
import { date, zeroOrMore } from '../arguments.ts'
import { refuseDatabase, requireStore } from '../existing-store.ts'
import { type GlobalOptions, withGlobals } from '../global-options.ts'
import { commandLogger } from '../logger.ts'
import { type OverwriteOptions, refuseToOverwrite } from '../overwriting.ts'
import { isConversation } from '../session.ts'
import { terminal } from '../terminal/output.ts'
import { inert } from '../terminal/text.ts'

export function archiveCommands(log: Command): void {
  log
    .command('backup <file>')
    .description(
      'back up the log, its long bodies and the files of agents into one file, even while another process writes to it',
    )
    .option('--force', 'overwrite an existing file')
    .action(withGlobals(backup))
  log
    .command('restore <file>')
    .description('restore a store from a backup')
    .option('--to <dir>', 'directory of the new store, empty or new (with --database: the database is it)')
    .action(withGlobals(restore))
  log
    .command('export [file]')
    .description('export the log as lines of JSON (default: to stdout)')
    .option('--stream <name>', 'only this stream, such as agent/researcher')
    .option('--after <n>', 'only facts after this position (with --stream: version)', zeroOrMore)
    .option('--force', 'overwrite an existing file')
    .option('--redact', 'replace prompts, answers and all other text by its length')
    .action(withGlobals(exportLog))
  log
    .command('import <file>')
    .description('make a store from an export; with - as the file, read it from stdin')
    .option('--to <dir>', 'directory of the new store, empty or new (default: that of --base-dir)')
    .action(withGlobals(importLog))
  log
    .command('hash')
    .description('print a hash of each state and of them all: identical logs have identical hashes')
    .action(withGlobals(hash))
  log
    .command('compact')
    .description('drop prompts and answers of tasks that have ended; states are unchanged')
    .option('--before <date>', 'only of tasks that ended before this date', date)
    .option('--keep <n>', "keep those of each agent's last n ended tasks", zeroOrMore)
    .option(
      '--snapshots',
      'drop the snapshots of their files as well (default: ask): none of these turns can be undone',
    )
    .option('--no-snapshots', 'keep these without asking')
    .option('--dry-run', 'only print what would be dropped and how much space it would free')
    .action(withGlobals(compact))
}

async function backup(globals: GlobalOptions, file: string, { force }: OverwriteOptions): Promise<void> {
  refuseToOverwrite(file, force)
  const library = await import('../../store/care/backup.ts')
  const done =
    globals.database === undefined
      ? await library.backupDirectory(requireStore(globals), file, { logger: await commandLogger(globals) })
      : await usingLog(globals, (store) => library.backup(store, file, filesOf(globals)))
  const { json, value, line } = terminal(globals)
  if (json) return value(done)
  line(`Backed up ${plural(done.records, 'fact')} and ${largeBodies(done.blobs)}${andFiles(done)}.`)
  noteLost(globals, done)
}

async function restore(
  globals: GlobalOptions,
  file: string,
  { to }: { readonly to?: string },
  command: Command,
): Promise<void> {
  const { database } = globals
  if (to !== undefined) {
    const library = await import('../../history/log-archive.ts')
    return printRestored(globals, to, await library.restore(file, resolve(to)))
  }
  if (database === undefined) return command.error("error: required option '--to <dir>' not specified")
  const { restoreDatabase } = await import('../../history/database-archive.ts')
  printRestored(globals, 'the database', await restoreDatabase(file, database, filesOf(globals)))
}

async function importLog(
  globals: GlobalOptions,
  file: string,
  { to: given }: { readonly to?: string },
): Promise<void> {
  const source = file === '-' ? { name: 'stdin', bytes: process.stdin } : file
  const { database } = globals
  if (database !== undefined && given === undefined) {
    const { importDatabase } = await import('../../history/database-archive.ts')
    return printRestored(globals, 'the database', await importDatabase(source, database, filesOf(globals)))
  }
  const library = await import('../../history/log-archive.ts')
  const to = given ?? globals.baseDir
  printRestored(globals, to, await library.importLog(source, resolve(to)))
}

function printRestored(globals: GlobalOptions, to: string, restored: RestoredStore): void {
  const { json, value, line, note } = terminal(globals)
  if (json) {
    value(restored)
    return
  }
  line(`Made a store of ${plural(restored.records, 'fact')} in ${inert(to)}.`)
  note(
    restored.forReading
      ? 'It is read-only: log, replay and agent show work on it, but its agents cannot be asked.'
      : 'It is a copy of the original store: continue with one of the two, never with both. ' +
          'Agents whose files are kept get the newest ones with their next task; it does not contain their sessions.',
  )
}

interface ExportCommandOptions extends OverwriteOptions {
  readonly stream?: string
  readonly after?: number
  readonly redact?: boolean
}

async function exportLog(
  globals: GlobalOptions,
  file: string | undefined,
  _: ExportCommandOptions,
  command: Command,
): Promise<void> {
  const library = await import('../../history/log-archive.ts')
  // `log` has some of these options as well, and takes them wherever they stand.
  const { stream, after, redact = false, force } = command.optsWithGlobals<ExportCommandOptions>()
  const files = globals.database === undefined ? {} : filesOf(globals)
  const options = defined({ redacted: redact, stream, after, ...files })
  if (file !== undefined && file !== '-') refuseToOverwrite(file, force)
  await using store = await logOf(globals)
  if (stream !== undefined) await lastVersion(store, stream)
  if (file === undefined || file === '-') return await print(library.exportText(store, options))
  const { json, value, line } = terminal(globals)
  const done = await library.exportLog(store, file, options)
  if (json) return value(done)
  line(`Exported ${plural(done.records, 'fact')}${redact ? ', without their text' : andFiles(done)}.`)
  noteLost(globals, done)
}

const andFiles = ({ agentsWithFiles = 0 }: ArchiveSummary) =>
  agentsWithFiles === 0 ? '' : `, and the files of ${plural(agentsWithFiles, 'agent')}`

function noteLost(globals: GlobalOptions, { lostBlobs, agentsWithoutFiles = [] }: ArchiveSummary): void {
  const { note } = terminal(globals)
  if (lostBlobs > 0) note(`${largeBodies(lostBlobs)} lost when the store was repaired: still missing.`)
  if (agentsWithoutFiles.length === 0) return
  const whose = agentsWithoutFiles.join(', ')
  note(`The files of ${whose} are not in it: some of their snapshots are missing from files.git.`)
  note('To see which: claude-agents log verify. Bring that directory back if you can, and repeat this.')
}

/** Stops quietly when the reader has seen enough. */
async function print(pieces: AsyncIterable<string>): Promise<void> {
  let failure: NodeJS.ErrnoException | undefined
  process.stdout.on('error', (error) => {
    failure = error
  })
  for await (const piece of pieces) {
    const text = process.stdout.isTTY ? escapedJson(piece) : piece
    if (!process.stdout.write(text)) await once(process.stdout, 'drain').catch(() => {})
    if (failure) break
  }
  if (failure && failure.code !== 'EPIPE') throw failure
}

async function hash(globals: GlobalOptions): Promise<void> {
  const { stateHash } = await import('../../history/log-archive.ts')
  await using store = await logOf(globals)
  const { json, value, line, style } = terminal(globals)
  const whole = await stateHash(store, (one) => {
    if (json) value(one)
    else line(`${one.hash}  ${one.stream}  ${style('dim', `version ${one.version}`)}`)
  })
  if (json) return value({ ...whole, stream: null })
  line(`${whole.hash}  ${style('bold', 'the whole log')}  ${style('dim', `position ${whole.position}`)}`)
}

const COMPACT_A_COPY =
  'To make one of a database smaller: log backup FILE, log restore FILE --to DIR, log compact there without --database, and the way back into a new database.'

async function compact(
  globals: GlobalOptions,
  options: {
    readonly before?: Date
    readonly keep?: number
    readonly snapshots?: boolean
    readonly dryRun?: boolean
  },
): Promise<void> {
  refuseDatabase(globals, 'log compact', COMPACT_A_COPY)
  const { compactLog } = await import('../../history/log-archive.ts')
  const directory = requireStore(globals)
  const report = await compactLog(directory, options)
  const { json, value, line, note, interactive } = terminal(globals)
  if (json) return value(report)
  line(options.dryRun ? plannedCompaction(report) : doneCompaction(report))
  const { oldSnapshots, snapshotsDropped } = report
  if (oldSnapshots === 0 || snapshotsDropped || options.snapshots === false) return
  const what = plural(oldSnapshots, 'snapshot')
  if (!options.dryRun && interactive && process.stdin.isTTY && !isConversation()) {
    const { confirm } = await import('@clack/prompts')
    const message = `Drop ${what} of their files as well? These turns can then be neither looked at nor undone.`
    if ((await confirm({ message, initialValue: false })) !== true) return
    return line(doneCompaction(await compactLog(directory, { ...options, snapshots: true })))
  }
  note(
    `${what} of the files of these tasks ${oldSnapshots === 1 ? 'is' : 'are'} kept. To drop them as well: --snapshots`,
  )
}

const plannedCompaction = ({ facts, characters, orphans, ...report }: CompactionReport) =>
  `Would drop the text of ${plural(facts, 'fact')} and ${largeBodies(orphans.blobs)}${andSnapshots(report)}: ` +
  // The hash of a short text is longer than that.
  (characters + orphans.bytes > 0 ? `about ${characters + orphans.bytes} bytes.` : 'no space would be freed.')

const andSnapshots = ({
  oldSnapshots,
  snapshotsDropped,
}: Pick<CompactionReport, 'oldSnapshots' | 'snapshotsDropped'>) =>
  snapshotsDropped ? `, and ${plural(oldSnapshots, 'snapshot')} of files` : ''

const doneCompaction = ({ facts, orphans, bytesBefore, bytesAfter, ...report }: CompactionReport) =>
  `Dropped the text of ${plural(facts, 'fact')} and ${largeBodies(orphans.blobs)}${andSnapshots(report)}: ${bytesBefore} bytes on disk ` +
  `are now ${bytesAfter}.`

const largeBodies = (count: number) => plural(count, 'large body', 'large bodies')

/** Where the files of agents are, of a log that is elsewhere. */
const filesOf = ({ baseDir }: GlobalOptions) => ({ baseDir: resolve(baseDir) })

async function usingLog<Result>(
  globals: GlobalOptions,
  work: (store: EventStore) => Promise<Result>,
): Promise<Result> {
  await using store = await logOf(globals)
  return await work(store)
}

/** The log, through its owner if another process has it open. */
async function logOf(globals: GlobalOptions) {
  const { openLog } = await import('../../remote/live-log.ts')
  return (await openLog(requireStore(globals), { logger: await commandLogger(globals) })).store
}
