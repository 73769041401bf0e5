/** A store's directory: its layout, its creation, and the checks before it is opened or reopened. */
import { randomUUID } from 'node:crypto'
import { access, open, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { StoreDamaged, StoreNotOpened, UnsupportedFormat } from '../../events/errors/store.ts'
import { checkArgument } from '../../events/options/decoding.ts'
import {
  FILE_MODE,
  hideFromGit,
  isMissing,
  makeDirectory,
  readPlainFile,
  syncDirectory,
  writeWholeFile,
} from '../directory.ts'
import { LogDatabase, type OpenDatabase } from './database.ts'
import { encodeIndexValue, genesisHash, STORE_KEY } from './entries.ts'
import { type HeadFileContent, headFileText, readHeadFile } from './head-file.ts'

/** The format that this version writes, and the newest that it reads. */
const FORMAT = 1

/** What LevelDB may write when it is opened: its log becomes a table. */
const OPENING_BYTES = 4 * 1024 * 1024

/** What the folders of readers are called, each followed by who reads: see `unfinishedPath`. */
export const VIEW = 'view'

export interface StorePaths {
  readonly base: string
  readonly storeFile: string
  readonly head: string
  readonly log: string
  readonly blobs: string
  /** Which tables were read before. */
  readonly verified: string
  /** The tables that are still to be read. */
  readonly unread: string
  /** Present while the store is being created: the directory then contains no facts. */
  readonly creating: string
}

export const storePaths = (base: string): StorePaths => ({
  base,
  storeFile: join(base, 'store.json'),
  head: join(base, 'head'),
  log: join(base, 'log'),
  blobs: join(base, 'blobs'),
  verified: join(base, 'verified'),
  unread: join(base, 'unread'),
  creating: join(base, 'creating'),
})

interface StoreFile {
  readonly format: number
  readonly storeId: string
  /** Read-only, because it was imported from a partial or redacted log. */
  readonly forReading: boolean
}

/** Does work on the store in a directory. What the system says of it becomes an error for people. */
export async function atStore<T>(directory: string, work: () => Promise<T>): Promise<T> {
  checkArgument('The directory of the store', directory, 'a path')
  try {
    return await work()
  } catch (error) {
    throw StoreNotOpened.from(directory, error)
  }
}

/**
 * Reads `store.json`; null if there is none. Does not write, so it may be called before the store is locked.
 *
 * @throws UnsupportedFormat, StoreDamaged
 */
export async function checkFormat(paths: StorePaths): Promise<StoreFile | null> {
  const file = paths.storeFile
  const text = await readOrNull(file)
  if (text === null) return null
  const damaged = () => new StoreDamaged({ path: paths.base, file, problem: 'its content is corrupted' })
  const content = parseOrNull(text)
  if (!content || !Number.isSafeInteger(content.format)) throw damaged()
  const { format = 0, storeId, forReading = false, ...unknown } = content
  if (format > FORMAT) throw new UnsupportedFormat({ path: paths.base, found: format, known: FORMAT })
  // The file has no checksum: an unknown field can only be a known one, damaged.
  const known = Object.keys(unknown).length === 0 && typeof forReading === 'boolean'
  if (format < 1 || !known || typeof storeId !== 'string' || storeId.length < 8) throw damaged()
  return { format, storeId, forReading }
}

/** The id of a complete store; null if there is none yet. Throws {@link StoreDamaged} if part of it is missing. */
export async function inspectStoreDirectory(paths: StorePaths): Promise<string | null> {
  const store = await checkFormat(paths)
  const head = await readHeadFile(paths.head, paths.base)
  const log = await listOrEmpty(paths.log)
  if (await isBeingCreated(paths, head?.position ?? 0)) return null
  if (store === null && head === null && log.length === 0) return null
  const damaged = (file: string, problem: string) => new StoreDamaged({ path: paths.base, file, problem })
  if (store === null) throw damaged(paths.storeFile, 'its store.json is missing')
  if (head === null) throw damaged(paths.head, 'its head is missing')
  if (head.storeId !== store.storeId) throw damaged(paths.head, 'its head belongs to another store')
  // Without CURRENT, LevelDB would start a new log and remove the tables of the old one.
  const current = join(paths.log, 'CURRENT')
  const manifest = (await readOrNull(current))?.trim()
  if (manifest === undefined) throw damaged(current, 'the CURRENT file of its log is missing')
  if (!log.includes(manifest)) throw damaged(current, 'the manifest of its log is missing')
  return store.storeId
}

/** Creates an empty store. It is valid once the `creating` file is gone, so a kill midway leaves nothing half made. */
export async function createStoreDirectory(paths: StorePaths, openDatabase: OpenDatabase): Promise<string> {
  await writeWholeFile(paths.creating, '')
  await Promise.all(
    [paths.log, paths.head, paths.storeFile].map((path) => rm(path, { recursive: true, force: true })),
  )
  if (await isOurs(paths.base)) await hideFromGit(paths.base)
  const storeId = randomUUID()
  await (await createLog(paths, storeId, openDatabase)).close()
  await writeStoreFiles(paths, { storeId, position: 0, hash: genesisHash(storeId) })
  await rm(paths.creating)
  await syncDirectory(paths.base)
  return storeId
}

/** Whether a directory holds nothing of the user's, which git should keep seeing. */
const isOurs = async (base: string) => (await readdir(base)).every((name) => OUR_NAME.test(name))
const OUR_NAME =
  /^(creating|lock|agents|blobs|log|head|home-id|verified|unread|view|store\.json|owner\.json|serve\.log)(\..*)?$/

/** Creates the log of a new store, and its folder for blobs. The caller closes the returned database. */
export async function createLog(
  paths: StorePaths,
  storeId: string,
  openDatabase: OpenDatabase,
): Promise<LogDatabase> {
  await Promise.all([makeDirectory(paths.log), makeDirectory(paths.blobs)])
  const database = await LogDatabase.open(paths.log, storeId, openDatabase, { createIfMissing: true })
  try {
    await database.batch().put(STORE_KEY, encodeIndexValue(STORE_KEY, { storeId })).write({ sync: true })
  } catch (error) {
    await database.close()
    throw error
  }
  return database
}

/** Writes `head` and `store.json`. */
export async function writeStoreFiles(
  paths: StorePaths,
  head: HeadFileContent,
  { forReading = false }: { readonly forReading?: boolean } = {},
): Promise<void> {
  await writeWholeFile(paths.head, headFileText(head))
  const content = { format: FORMAT, storeId: head.storeId, ...(forReading && { forReading }) }
  await writeWholeFile(paths.storeFile, `${JSON.stringify(content)}\n`)
}

/**
 * Whether there is room to write, found out by writing: a log that is closed to be reopened must not stay closed for
 * lack of space. Throws the system's error if there is none.
 */
export async function checkRoomToWrite(directory: string): Promise<void> {
  const path = join(directory, `room.${randomUUID()}`)
  const file = await open(path, 'wx', FILE_MODE)
  try {
    await file.writeFile(Buffer.alloc(OPENING_BYTES))
    await file.sync()
  } finally {
    await file.close()
    await rm(path, { force: true })
  }
}

/** A store with a fact is never taken for one in creation, whatever files are left over. */
async function isBeingCreated(paths: StorePaths, position: number): Promise<boolean> {
  if (position > 0) return false
  return access(paths.creating).then(
    () => true,
    () => false,
  )
}

async function readOrNull(path: string): Promise<string | null> {
  try {
    return (await readPlainFile(path)).toString('utf8')
  } catch (error) {
    if (isMissing(error)) return null
    throw error
  }
}

async function listOrEmpty(path: string): Promise<string[]> {
  try {
    return await readdir(path)
  } catch (error) {
    if (isMissing(error)) return []
    throw error
  }
}

function parseOrNull(text: string): Partial<StoreFile> | null {
  try {
    return JSON.parse(text) as Partial<StoreFile>
  } catch {
    return null
  }
}
