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

/** Whether it is saved under another name: it lies in a repository inside the files, or in what may be one elsewhere. */
export const isInner = (path: FilePath): boolean => /(^|\/)\.git@*(\/|$)/i.test(path)

/**
 * The directory that it is in; of what is in a `.git`, where git does not look, the directory that this one is in. Git looks
 * into a `.GIT` like into any other directory.
 */
export const outerOf = (path: FilePath): FilePath => directoryOf(path.replace(/(^|\/)\.git\/.*/s, '$1.git'))

/** Git has no index with a link of that name, or in a directory of that name. */
export const isRefusedLink = (path: FilePath): boolean => /(^|\/)\.gitmodules(\/|$)/i.test(path)

/** As `git fast-import` reads it. */
export const fastImportPath = (path: FilePath): string =>
  `"${path.replace(/[^ !#-[\]-~]/g, (character) => `\\${character.charCodeAt(0).toString(8).padStart(3, '0')}`)}"`
