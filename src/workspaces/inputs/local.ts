/** Copies local files and folders into the staging directory. */
import { constants } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { type InputKind, InputKindError, InputNotFoundError } from '../../events/errors/workspace.ts'
import type { CheckedMapping, PlacedInput } from '../../events/task-input.ts'
import { type Directory, makeChild, openNamedDirectory } from './directory.ts'
import { type CopyContext, copyContent, READ_FILE } from './file-copy.ts'
import { about } from './file-problems.ts'
import { copyFolder, treeDigest, treeSize } from './folder-copy.ts'

/** The source may be a link, since that is what the caller asked for. */
export async function stageFile(
  { source, target }: CheckedMapping,
  staging: Directory,
  name: string,
  context: CopyContext,
): Promise<PlacedInput> {
  return about(source, async () => {
    await checkKind('file', source)
    await using file = await open(source, READ_FILE)
    // It may have been swapped since.
    if (!(await file.stat()).isFile())
      throw new InputKindError({ kind: 'file', source, found: 'special file' })
    const { sha256, bytes } = await copyContent(file, staging, name, target, context)
    return { kind: 'file', source, target, sha256, commit: null, files: 1, bytes, skipped: 0 }
  })
}

export async function stageFolder(
  { source, target }: CheckedMapping,
  staging: Directory,
  name: string,
  context: CopyContext,
): Promise<PlacedInput> {
  return about(source, async () => {
    await checkKind('folder', source)
    await using from = await openNamedDirectory(source, staging.addressing)
    await using into = await makeChild(staging, name)
    const { entries, ...leftOut } = await copyFolder(from, into, context)
    return {
      kind: 'folder',
      source,
      target,
      sha256: treeDigest(entries),
      commit: null,
      ...treeSize(entries),
      ...leftOut,
    }
  })
}

/** Checks before opening: opening a device can have side effects. */
async function checkKind(kind: Exclude<InputKind, 'repo'>, source: string): Promise<void> {
  const stats = await stat(source).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'ENOENT' || cause.code === 'ENOTDIR')
      throw new InputNotFoundError({ kind, source }, { cause })
    throw cause
  })
  const found = KINDS[stats.mode & constants.S_IFMT] ?? 'special file'
  if (found !== kind) throw new InputKindError({ kind, source, found })
}

const KINDS: Readonly<Record<number, string>> = {
  [constants.S_IFREG]: 'file',
  [constants.S_IFDIR]: 'folder',
  [constants.S_IFIFO]: 'pipe',
  [constants.S_IFSOCK]: 'socket',
  [constants.S_IFCHR]: 'device',
  [constants.S_IFBLK]: 'device',
}
