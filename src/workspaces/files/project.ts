/**
 * The settings for Claude Code that a project brings along: the files that `claude` would load in a working tree, what they
 * load or start in turn, and a hash of all of it. Links are followed, as `claude` follows them, but never out of the tree.
 */
import { createHash } from 'node:crypto'
import { readdir, realpath, stat } from 'node:fs/promises'
import { dirname, join, relative, sep } from 'node:path'
import { eachChunk } from '../agent-file.ts'
import { unless } from '../inputs/file-problems.ts'

/** The settings of a project, as they lie in a working tree. */
export interface ProjectSettings {
  /** Relative to the tree, by name. Empty if there are none. */
  readonly files: readonly string[]
  /** Another one after each change of their content, and of what they load. Empty if there are none. */
  readonly hash: string
  /** Why they cannot be loaded. */
  readonly problem?: string
}

/** At the top of the tree, whatever a system makes of capital letters. */
const AT_TOP = /^(claude\.md|\.claude|\.mcp\.json)$/i
/** In other directories, once a file there is read. */
const BELOW = /^(claude\.md|\.claude)$/i
/** What a user has for one tree. It is not loaded. */
const LOCAL = /\.claude\/settings\.local\.json$/i

/** The CLI is told to load nothing from `node_modules`, where there would be too much to search. */
const UNSEARCHED = new Set(['.git', 'node_modules'])

const UNREADABLE = ['ENOENT', 'ENOTDIR', 'EACCES', 'EPERM', 'ELOOP', 'ENAMETOOLONG']

const LARGEST_FILE = 16 * 1024 * 1024

export async function projectSettings(directory: string): Promise<ProjectSettings> {
  const top = await realpath(directory)
  const hashes = new Map<string, string>()
  const visited = new Set([top])
  let problem: string | undefined

  /** Adds a file, or what is in a directory. `isMentioned`: only a file of the tree is meant. */
  async function add(path: string, isMentioned = false): Promise<void> {
    const real = await realpath(join(top, path)).catch(() => null)
    if (real === null || hashes.has(path) || LOCAL.test(path)) return
    if (real !== top && !real.startsWith(top + sep)) {
      if (!isMentioned) problem ??= `${path} leads out of ${top}`
      return
    }
    if ((await stat(real)).isDirectory()) {
      if (isMentioned || visited.has(real)) return
      visited.add(real)
      for (const name of await readdir(real)) await add(join(path, name))
      return
    }
    const chunks: Buffer[] = []
    if (!(await eachChunk(real, LARGEST_FILE, (chunk) => void chunks.push(Buffer.from(chunk))))) {
      problem ??= `${path} is not a file that can be read`
      return
    }
    const content = Buffer.concat(chunks)
    hashes.set(path, createHash('sha256').update(content).digest('hex'))
    for (const mentioned of mentionedIn(path, String(content)))
      for (const from of ['', dirname(path), relative(top, dirname(real))])
        await add(join(from, mentioned), true)
  }

  async function search(path: string): Promise<void> {
    // Neither can the CLI read what cannot be read here, such as a directory whose name is not UTF-8.
    const entries = await unless(UNREADABLE, readdir(join(top, path), { withFileTypes: true }))
    for (const entry of entries ?? []) {
      const { name } = entry
      if (UNSEARCHED.has(name)) continue
      if ((path === '' ? AT_TOP : BELOW).test(name)) await add(join(path, name))
      else if (entry.isDirectory()) await search(join(path, name))
    }
  }

  await search('')
  const files = [...hashes].sort(([one], [other]) => (one < other ? -1 : 1))
  const hash = files.length === 0 ? '' : createHash('sha256').update(JSON.stringify(files)).digest('hex')
  return { files: files.map(([path]) => path), hash, ...(problem === undefined ? {} : { problem }) }
}

/** The paths that a file may load or start: what instructions include, and what settings name. */
function mentionedIn(path: string, text: string): readonly string[] {
  if (/\.md$/i.test(path))
    return [...text.matchAll(/@((?:\\ |[^\s`])+)/g)].map(([, name = '']) => name.replaceAll('\\ ', ' '))
  if (!/\.json$/i.test(path)) return []
  const words = withoutPermissions(text)
    .replaceAll(/\\?["'`]/g, '')
    .replaceAll(/\$(CLAUDE_PROJECT_DIR|\{CLAUDE_PROJECT_DIR\})\//g, '')
  return words.split(/[\s;|&()<>=,:[\]{}]+/).filter((word) => word !== '')
}

/** They name what an agent may do, and not what is started. */
function withoutPermissions(text: string): string {
  try {
    const { permissions: _, ...settings } = JSON.parse(text)
    return JSON.stringify(settings)
  } catch {
    return text
  }
}
