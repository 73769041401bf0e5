/** The files of a directory that an agent may be changing: read and written step by step, without following a link. */
import { randomUUID } from 'node:crypto'
import { type BigIntStats, constants } from 'node:fs'
import { open, readlink, rename, rmdir, symlink, unlink } from 'node:fs/promises'
import { codeOf } from '../../events/errors/phrases.ts'
import {
  type Directory,
  type EntryName,
  entriesOf,
  lstatIfThere,
  makeChild,
  openChild,
  openChildIfThere,
  SWAPPED,
} from '../inputs/directory.ts'
import { unless } from '../inputs/file-problems.ts'
import { removeEntry } from '../inputs/removal.ts'
import { type FilePath, stepsOf } from './paths.ts'

/** The modes that git knows. */
export type FileMode = '100644' | '100755' | '120000'

export interface FileContent {
  readonly mode: FileMode
  /** Of a link: its target. */
  readonly bytes: Buffer
}

/**
 * What is at a path. null: nothing that can be saved, such as a directory or a pipe. `left`: a file that is larger than
 * `largest` bytes, or of another user. It is left as it is.
 */
export async function readFileAt(
  root: Directory,
  path: FilePath,
  largest: number,
): Promise<FileContent | 'left' | null> {
  const steps = stepsOf(path)
  return ifAllowed(
    'left' as const,
    within(root, steps.slice(0, -1), openChildIfThere, async (parent) => {
      const name = steps.at(-1) as EntryName
      const stats = await lstatIfThere(parent.at(name))
      if (stats?.isSymbolicLink()) {
        const target = await unless(SWAPPED, readlink(parent.at(name), { encoding: 'buffer' }))
        return target && { mode: '120000', bytes: target }
      }
      // A pipe would wait for its writer.
      if (!stats?.isFile()) return null
      const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
      const handle = await unless(SWAPPED, open(parent.at(name), flags))
      if (!handle) return null
      try {
        const opened = await handle.stat()
        if (!opened.isFile()) return null
        if (opened.size > largest) return 'left'
        return { mode: opened.mode & 0o100 ? '100755' : '100644', bytes: await handle.readFile() }
      } finally {
        await handle.close()
      }
    }),
  )
}

const TEMPORARY = '.claude-agents-'

/** Whether a restoring that was killed has left it. */
export const isTemporary = (path: FilePath): boolean =>
  path.slice(path.lastIndexOf('/') + 1).startsWith(TEMPORARY) && UUID.test(path.slice(-36))
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** What is at a path: null if it is neither a file nor a link. What cannot be seen counts as a file. */
export async function kindAt(root: Directory, path: FilePath): Promise<'file' | 'link' | null> {
  const steps = stepsOf(path)
  const found = within(root, steps.slice(0, -1), openChildIfThere, async (parent) => {
    const stats = await lstatIfThere(parent.at(steps.at(-1) as EntryName))
    return stats?.isSymbolicLink() ? 'link' : stats?.isFile() ? 'file' : null
  })
  return ifAllowed('file' as const, found)
}

/** What stands for a result that the system does not allow. */
const ifAllowed = <Result, Otherwise>(otherwise: Otherwise, result: Promise<Result>) =>
  result.catch((error): Otherwise => {
    if (!['EACCES', 'EPERM'].includes(codeOf(error))) throw error
    return otherwise
  })

/** Replaces what is at a path. A directory that is there stays, unless it is empty. */
export async function writeFileAt(
  root: Directory,
  path: FilePath,
  { mode, bytes }: FileContent,
): Promise<void> {
  const steps = stepsOf(path)
  await within(root, steps.slice(0, -1), openOrMake, async (parent) => {
    const name = steps.at(-1) as EntryName
    const temporary = `${TEMPORARY}${randomUUID()}`
    if (mode === '120000') await symlink(bytes, parent.at(temporary))
    else {
      const handle = await open(parent.at(temporary), 'wx', mode === '100755' ? 0o777 : 0o666)
      try {
        await handle.writeFile(bytes)
      } finally {
        await handle.close()
      }
    }
    try {
      await unless([...SWAPPED, 'ENOTEMPTY', 'EEXIST'], rmdir(parent.at(name)))
      await rename(parent.at(temporary), parent.at(name))
    } catch (error) {
      await unlink(parent.at(temporary)).catch(() => {})
      throw error
    }
  })
}

/** Whether names that differ only in case are one there. */
export async function foldsCase(root: Directory): Promise<boolean> {
  const name = `${TEMPORARY}${randomUUID()}`
  await (await open(root.at(name), 'wx')).close()
  try {
    return (await lstatIfThere(root.at(name.toUpperCase()))) !== null
  } finally {
    await unlink(root.at(name))
  }
}

/** Makes the directories without which git takes it for no repository, and which may be empty: no snapshot has those. */
export async function makeRepositoryAt(root: Directory, path: FilePath): Promise<void> {
  await within(root, stepsOf(path), openOrMake, async (repository) => {
    for (const name of ['objects', 'refs'])
      await unless(
        ['EEXIST'],
        makeChild(repository, name).then((made) => made[Symbol.asyncDispose]()),
      )
    return null
  })
}

/** Removes the file at a path, and the directories that are empty without it. */
export async function removeFileAt(root: Directory, path: FilePath): Promise<void> {
  await removeSteps(root, stepsOf(path))
}

async function removeSteps(parent: Directory, [name, ...rest]: readonly EntryName[]): Promise<void> {
  if (name === undefined) return
  if (rest.length === 0) {
    const stats = await lstatIfThere(parent.at(name))
    if (stats && !stats.isDirectory()) await removeEntry(parent, name)
    return
  }
  const child = await openChildIfThere(parent, name)
  if (!child) return
  try {
    await removeSteps(child, rest)
  } finally {
    await child[Symbol.asyncDispose]()
  }
  await unless(['ENOTEMPTY', 'EEXIST', ...SWAPPED], rmdir(parent.at(name)))
}

/** The files below a directory, at any depth, with what tells whether they have changed. */
export async function* filesBelow(root: Directory, path: FilePath): AsyncGenerator<SeenFile> {
  const left = [path]
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    const at = next
    const seen = within(root, at === '' ? [] : stepsOf(at), openChildIfThere, async (directory) => {
      const files: SeenFile[] = []
      for await (const { name } of entriesOf(directory)) {
        const below = `${at === '' ? '' : `${at}/`}${Buffer.from(name).toString('latin1')}`
        const stats = await lstatIfThere(directory.at(name))
        if (stats?.isDirectory()) left.push(below)
        else if (stats?.isFile() || stats?.isSymbolicLink())
          files.push({ path: below, stamp: stampOf(stats) })
      }
      return files
    })
    yield* (await ifAllowed(null, seen)) ?? []
  }
}

/** Another one after each change of a file. */
export const stampOf = ({ mode, size, mtimeNs, ctimeNs, ino }: BigIntStats): string =>
  [mode, size, mtimeNs, ctimeNs, ino].join(' ')

/** The directories below a directory, at any depth, itself included, but none inside a `.git`. */
export async function* directoriesBelow(root: Directory): AsyncGenerator<FilePath> {
  const left = ['']
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    const at = next
    yield at
    const looking = within(root, at === '' ? [] : stepsOf(at), openChildIfThere, async (directory) => {
      for await (const { name, isDirectory } of entriesOf(directory)) {
        if (name === '.git') continue
        if (isDirectory ?? (await lstatIfThere(directory.at(name)))?.isDirectory())
          left.push(`${at === '' ? '' : `${at}/`}${Buffer.from(name).toString('latin1')}`)
      }
      return null
    })
    await ifAllowed(null, looking)
  }
}

/** Ends the wait of a program that reads pipes of these names, at any depth below a directory. */
export async function endPipes(root: Directory, names: readonly string[]): Promise<void> {
  const flags = constants.O_WRONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
  for await (const path of directoriesBelow(root))
    await within(root, path === '' ? [] : stepsOf(path), openChildIfThere, async (directory) => {
      for (const name of names) {
        if (!(await lstatIfThere(directory.at(name)))?.isFIFO()) continue
        // It opens only while something reads it, which then finds nothing in it.
        const pipe = await open(directory.at(name), flags).catch(() => null)
        await pipe?.close()
      }
      return null
    })
}

export interface SeenFile {
  readonly path: FilePath
  readonly stamp: string
}

async function openOrMake(parent: Directory, name: EntryName): Promise<Directory> {
  return openChild(parent, name).catch((error) => {
    if (codeOf(error) !== 'ENOENT') throw error
    return makeChild(parent, name)
  })
}

/** Works in the directory at these steps; null if one of them cannot be opened. */
async function within<Result>(
  root: Directory,
  [step, ...rest]: readonly EntryName[],
  descend: (parent: Directory, name: EntryName) => Promise<Directory | null>,
  work: (directory: Directory) => Promise<Result | null>,
): Promise<Result | null> {
  if (step === undefined) return work(root)
  const child = await descend(root, step)
  if (!child) return null
  try {
    return await within(child, rest, descend, work)
  } finally {
    await child[Symbol.asyncDispose]()
  }
}
