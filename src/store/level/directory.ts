/** A store's directory: what belongs into it, how it comes to be, and whether what is there is whole. */
import { randomUUID } from 'node:crypto'
import { access, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { StoreDamaged, UnsupportedFormat } from '../../events/errors/store.ts'
import { isMissing, makeDirectory, syncDirectory, writeWholeFile } from '../directory.ts'
import { LogDatabase, type OpenDatabase } from './database.ts'
import { type HeadFileContent, headFileText, readHeadFile } from './head-file.ts'
import { encodeIndexValue } from './index-value.ts'
import { STORE_KEY } from './keys.ts'
import { genesisHash } from './record.ts'

/** The format that this version writes, and the newest that it reads. */
const FORMAT = 1

export interface StorePaths {
  readonly base: string
  readonly storeFile: string
  readonly head: string
  readonly log: string
  readonly blobs: string
  /** There while the store is being made: what is in the directory then holds nothing yet. */
  readonly creating: string
}

export const storePaths = (base: string): StorePaths => ({
  base,
  storeFile: join(base, 'store.json'),
  head: join(base, 'head'),
  log: join(base, 'log'),
  blobs: join(base, 'blobs'),
  creating: join(base, 'creating'),
})

interface StoreFile {
  readonly format: number
  readonly storeId: string
  /** It was imported from a part of a log, or from a redacted one. */
  readonly forReading: boolean
}

/** Refuses a store of a newer format. Reads only, and may be called before the store is locked. */
export async function checkFormat(paths: StorePaths): Promise<StoreFile | null> {
  const file = paths.storeFile
  const text = await readOrNull(file)
  if (text === null) return null
  const damaged = () => new StoreDamaged({ path: paths.base, file, problem: 'its content is corrupted' })
  const content = parseOrNull(text)
  if (!content || !Number.isSafeInteger(content.format)) throw damaged()
  const { format = 0, storeId, forReading = false, ...unknown } = content
  if (format > FORMAT) throw new UnsupportedFormat({ path: paths.base, found: format, known: FORMAT })
  // It has no checksum: a field that this format does not have is one that it has, damaged.
  const known = Object.keys(unknown).length === 0 && typeof forReading === 'boolean'
  if (format < 1 || !known || typeof storeId !== 'string' || storeId.length < 8) throw damaged()
  return { format, storeId, forReading }
}

/** The id of the store that is there, whole; null where there is none yet. Throws when a part of it is missing. */
export async function inspectStoreDirectory(paths: StorePaths): Promise<string | null> {
  const store = await checkFormat(paths)
  const head = await readHeadFile(paths.head, paths.base)
  const log = await listOrNull(paths.log)
  if (await isBeingCreated(paths, head?.position ?? 0)) return null
  if (store === null && head === null && log.length === 0) return null
  const damaged = (file: string, problem: string) => new StoreDamaged({ path: paths.base, file, problem })
  if (store === null) throw damaged(paths.storeFile, 'its store.json is missing')
  if (head === null) throw damaged(paths.head, 'its head is missing')
  if (head.storeId !== store.storeId) throw damaged(paths.head, 'its head belongs to another store')
  // LevelDB would begin a new log where CURRENT is missing, and remove the tables of the old one.
  const current = join(paths.log, 'CURRENT')
  const manifest = (await readOrNull(current))?.trim()
  if (manifest === undefined) throw damaged(current, 'the CURRENT file of its log is missing')
  if (!log.includes(manifest)) throw damaged(current, 'the manifest of its log is missing')
  return store.storeId
}

/** Makes a new, empty store. It counts once the `creating` file is gone, so being killed on the way leaves no ruin. */
export async function createStoreDirectory(paths: StorePaths, open: OpenDatabase): Promise<string> {
  await writeWholeFile(paths.creating, '')
  await Promise.all(
    [paths.log, paths.head, paths.storeFile].map((path) => rm(path, { recursive: true, force: true })),
  )
  const storeId = randomUUID()
  await (await createLog(paths, storeId, open)).close()
  await writeStoreFiles(paths, { storeId, position: 0, hash: genesisHash(storeId) })
  await rm(paths.creating)
  await syncDirectory(paths.base)
  return storeId
}

/** Makes the log of a new store, and its folder for blobs. Close it. */
export async function createLog(
  paths: StorePaths,
  storeId: string,
  open: OpenDatabase,
): Promise<LogDatabase> {
  await Promise.all([makeDirectory(paths.log), makeDirectory(paths.blobs)])
  const database = await LogDatabase.open(paths.log, storeId, open, { createIfMissing: true })
  try {
    await database.batch().put(STORE_KEY, encodeIndexValue(STORE_KEY, { storeId })).write({ sync: true })
  } catch (error) {
    await database.close()
    throw error
  }
  return database
}

/** Writes what says which store this is, and where its log ends. */
export async function writeStoreFiles(
  paths: StorePaths,
  head: HeadFileContent,
  { forReading = false }: { readonly forReading?: boolean } = {},
): Promise<void> {
  await writeWholeFile(paths.head, headFileText(head))
  const content = { format: FORMAT, storeId: head.storeId, ...(forReading && { forReading }) }
  await writeWholeFile(paths.storeFile, `${JSON.stringify(content)}\n`)
}

/** A store that has seen a fact is never taken for one that is being made, whatever files lie about. */
async function isBeingCreated(paths: StorePaths, position: number): Promise<boolean> {
  if (position > 0) return false
  return access(paths.creating).then(
    () => true,
    () => false,
  )
}

async function readOrNull(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (isMissing(error)) return null
    throw error
  }
}

async function listOrNull(path: string): Promise<string[]> {
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
