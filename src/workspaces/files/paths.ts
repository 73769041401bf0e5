/** Paths of files as git has them: bytes, separated by slashes, relative to the directory that is saved. */
import type { EntryName } from '../inputs/directory.ts'

/** Bytes in latin1, one character a byte: names need not be UTF-8, and this way they can be compared and be keys. */
export type FilePath = string

export const stepsOf = (path: FilePath): readonly EntryName[] =>
  path.split('/').map((step) => {
    const bytes = Buffer.from(step, 'latin1')
    const text = bytes.toString()
    return Buffer.from(text).equals(bytes) ? text : bytes
  })

export const directoryOf = (path: FilePath): FilePath => path.slice(0, Math.max(0, path.lastIndexOf('/')))

/** For people: with a replacement character where the bytes are not UTF-8. */
export const readable = (path: FilePath): string => Buffer.from(path, 'latin1').toString()

/** Two of the paths, or directories of them, that differ only in case; undefined if there are none. */
export function caseClash(paths: Iterable<FilePath>): readonly [FilePath, FilePath] | undefined {
  const seen = new Map<string, FilePath>()
  for (const path of paths)
    for (let at = path; at !== ''; at = directoryOf(at)) {
      const folded = readable(at).normalize('NFC').toLowerCase()
      const other = seen.get(folded)
      if (other === at) break
      if (other !== undefined) return [other, at]
      seen.set(folded, at)
    }
  return undefined
}

/**
 * Git refuses a tree with a `.git` in it, so a repository inside the files is saved under another name: each step that is
 * `.git`, with or without at signs behind it, gets one more.
 */
export const toTree = (path: FilePath): FilePath =>
  /\.git/i.test(path) ? path.replace(/(^|\/)(\.git@*)(?=\/|$)/gi, '$1$2@') : path

/** The inverse of {@link toTree}. */
export const fromTree = (path: FilePath): FilePath =>
  /\.git@/i.test(path) ? path.replace(/(^|\/)(\.git@*)@(?=\/|$)/gi, '$1$2') : path

/** Whether it lies in a repository inside the files, where git does not look. */
export const isInner = (path: FilePath): boolean => /(^|\/)\.git@*(\/|$)/i.test(path)

/** The directory of the outermost repository that an inner path is in. */
export const outerOf = (path: FilePath): FilePath => path.split(/(?:^|\/)\.git@*(?:\/|$)/i, 1)[0] ?? ''

/** Git has no index with a link of that name, or in a directory of that name. */
export const isRefusedLink = (path: FilePath): boolean => /(^|\/)\.gitmodules(\/|$)/i.test(path)

/** As `git fast-import` reads it. */
export const fastImportPath = (path: FilePath): string =>
  `"${path.replace(/[^ !#-[\]-~]/g, (character) => `\\${character.charCodeAt(0).toString(8).padStart(3, '0')}`)}"`
