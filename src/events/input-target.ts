/** Checks targets in a workspace: relative paths that cannot lead out of it, or into a `.git` directory. */
import { InvalidInputError } from './errors/usage.ts'

/** Limits of common file systems: bytes of one name, characters of the whole path. */
const LONGEST_NAME = 255
const LONGEST_TARGET = 1000

// biome-ignore lint/suspicious/noControlCharactersInRegex: it refuses them
const CONTROL_CHARACTERS = /[\u0000-\u001f\u007f]/

/** Characters that some file systems ignore, so that a name with them equals one without. */
const INVISIBLE = /[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]/g

/**
 * The normalized target. Throws {@link InvalidInputError}.
 *
 * @example
 * checkTarget('docs//./guide/', 'files[0].target') // 'docs/guide'
 */
export function checkTarget(target: unknown, what: string): string {
  const problem = problemOf(target)
  if (problem !== null || typeof target !== 'string') {
    throw new InvalidInputError({
      what,
      problem: problem ?? 'it is not a string',
      hint: 'Give a path relative to the workspace, such as docs/guide.md.',
    })
  }
  return partsOf(target).join('/')
}

const partsOf = (target: string) => target.split('/').filter((part) => part !== '' && part !== '.')

function problemOf(target: unknown): string | null {
  if (typeof target !== 'string') return 'it is not a string'
  if (CONTROL_CHARACTERS.test(target)) return 'it contains a control character'
  if (Buffer.from(target).toString() !== target) return 'it is not valid Unicode'
  if (target.startsWith('/')) return 'it is an absolute path'
  if (target.includes('\\')) return 'it contains a backslash; separate directories with /'
  const parts = partsOf(target)
  if (/^[a-z]:/i.test(parts[0] ?? '')) return 'it is an absolute path'
  if (parts.length === 0) return 'it is empty, or names the workspace itself'
  if (parts.includes('..')) return 'it contains .., which could lead out of the workspace'
  if (target.length > LONGEST_TARGET || parts.some((part) => Buffer.byteLength(part) > LONGEST_NAME)) {
    return 'it is too long'
  }
  return parts.some(isGitDirectory)
    ? 'it leads into a .git directory, whose hooks and settings git would run'
    : null
}

/** Whether some file system would take the name for `.git`. */
function isGitDirectory(name: string): boolean {
  const plain = name
    .replace(INVISIBLE, '')
    .toLowerCase()
    .replace(/:.*$/, '')
    .replace(/[. ]+$/, '')
  return plain === '.git' || plain === 'git~1'
}
