/**
 * Which configuration files the user trusts. A file that was found by searching may have come with a repository: it is
 * trusted once the user has said so, as it was then, and as `direnv` does it. Each permission is a file of the user's own,
 * named by a hash of the configuration's path and content.
 */
import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { lstat, mkdir, open, readdir, realpath, rm, stat, writeFile } from 'node:fs/promises'
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path'
import type { ConfigProblem } from '../events/errors/config.ts'
import type { ValuePath } from '../events/options/decoding.ts'
import { userStateDirectory } from '../workspaces/place.ts'
import type { ConfigValues } from './schema.ts'

/** A configuration file as it was read. */
export interface ReadFile {
  readonly path: string
  readonly text: string
}

type Environment = Readonly<Record<string, string | undefined>>

/** `trusted`: the user has seen exactly this. `changed`: another content of this file. */
export type Trust = 'trusted' | 'changed' | 'unknown'

export async function trustOf(file: ReadFile, environment: Environment): Promise<Trust> {
  const folder = permissionsFolder(environment)
  const place = await placeOf(file.path)
  if ((await permission(join(folder, nameOf(place, file.text)))) === place) return 'trusted'
  return (await permissionsFor(place, folder)).length > 0 ? 'changed' : 'unknown'
}

/** Trusts the file with this content, and no longer with another. */
export async function trustFile(file: ReadFile, environment: Environment): Promise<void> {
  const folder = permissionsFolder(environment)
  const place = await placeOf(file.path)
  const name = nameOf(place, file.text)
  await mkdir(folder, { recursive: true, mode: 0o700 })
  for (const other of await permissionsFor(place, folder)) await rm(join(folder, other), { force: true })
  await writeFile(join(folder, name), place, { flag: 'wx', mode: 0o600 })
}

/** Whether the file was trusted, with whatever content. */
export async function untrustFile(path: string, environment: Environment): Promise<boolean> {
  const folder = permissionsFolder(environment)
  const names = await permissionsFor(await placeOf(path), folder)
  for (const name of names) await rm(join(folder, name), { force: true })
  return names.length > 0
}

/** The relative paths in a file start at its folder, so the same file by another name is another one. */
const placeOf = async (path: string) => join(await realpath(dirname(path)), basename(path))

const nameOf = (place: string, text: string) => createHash('sha256').update(`${place}\0${text}`).digest('hex')

function permissionsFolder(environment: Environment): string {
  return join(userStateDirectory(environment), 'trusted')
}

async function permissionsFor(place: string, folder: string): Promise<readonly string[]> {
  const names = await readdir(folder).catch(() => [])
  const places = await Promise.all(names.map((name) => permission(join(folder, name))))
  return names.filter((_, index) => places[index] === place)
}

const LONGEST_PLACE = 64 * 1024

/** The place that a permission is for; null if it is none of the user's own. */
async function permission(path: string): Promise<string | null> {
  const { O_RDONLY, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants
  const file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK).catch(() => null)
  if (file === null) return null
  try {
    const { uid, mode, size } = await file.stat().then((found) => (found.isFile() ? found : NO_FILE))
    const isOwn = process.getuid === undefined || (uid === process.getuid() && (mode & 0o022) === 0)
    return isOwn && size > 0 && size <= LONGEST_PLACE ? await file.readFile('utf8') : null
  } finally {
    await file.close()
  }
}

const NO_FILE = { uid: -1, mode: 0, size: 0 }

/** What a file is asked about: where it lies, and what became of its values. */
export interface Examined {
  readonly path: string
  readonly values: ConfigValues
  /** The base directory that applies, wherever it was named. */
  readonly baseDir: string
  /** Whether the value of a key is the file's. */
  readonly isOfFile: (key: string) => boolean
  readonly placeOf: (path: ValuePath) => string
}

/** What the file does that only a trusted one may: it leaves its folder or this machine, grants tools, or names a program. */
export async function privilegesOf({
  path,
  values,
  baseDir,
  isOfFile,
  placeOf,
}: Examined): Promise<readonly ConfigProblem[]> {
  const { orchestrator, agents = [], agent_defaults, supervision = [], claude, notify = [] } = values
  const found: ConfigProblem[] = []
  const add = (at: ValuePath, problem: string) => found.push({ place: placeOf(at), problem, hint: '' })
  if (!(await liesIn(baseDir, dirname(path)))) {
    if (orchestrator?.base_dir !== undefined && isOfFile('orchestrator.base_dir'))
      add(['orchestrator', 'base_dir'], `the base directory ${baseDir} is outside of its folder`)
    const others = `for the base directory ${baseDir}, which is outside of its folder`
    for (const section of ['orchestrator', 'agent_defaults', 'limits', 'budget'] as const)
      if (
        Object.keys(values[section] ?? {}).some((key) => key !== 'base_dir' && isOfFile(`${section}.${key}`))
      )
        add([section], `it has ${section} ${others}`)
    if (agents.length > 0) add(['agents'], `it declares agents ${others}`)
    if (supervision.length > 0) add(['supervision'], `it supervises agents ${others}`)
  }
  if (hasTools(agent_defaults?.allowed_tools) && isOfFile('agent_defaults.allowed_tools'))
    add(['agent_defaults', 'allowed_tools'], 'it grants tools to all agents')
  for (const [index, { id, workspace }] of agents.entries())
    if (workspace && !(await liesIn(resolve(dirname(path), workspace.repo), dirname(path))))
      add(['agents', index, 'workspace'], `it lets ${id} work on a repository outside of its folder`)
  agents.forEach(({ id, allowed_tools }, index) => {
    if (hasTools(allowed_tools)) add(['agents', index, 'allowed_tools'], `it grants tools to ${id}`)
  })
  if (claude?.path !== undefined && isOfFile('claude.path'))
    add(['claude', 'path'], 'it names a program to run')
  notify.forEach(({ command, webhook }, index) => {
    if (command) add(['notify', index, 'command'], 'it names a program to run')
    if (webhook) add(['notify', index, 'webhook'], `it tells ${new URL(webhook.url).origin} what happens`)
  })
  if (await isOfAnotherUser(path))
    found.push({ place: path, problem: 'it belongs to another user', hint: '' })
  return found
}

const hasTools = (tools: readonly string[] | undefined | null) => (tools ?? []).length > 0

/** Whether a path leads into a folder, through whatever links there are. */
async function liesIn(path: string, folder: string): Promise<boolean> {
  const real = await realpathOfExisting(resolve(path))
  if (real === null) return false
  const way = relative(await realpath(folder), real)
  return way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way)
}

/** What is missing of the path would be made where the rest of it is. null if that cannot be said. */
async function realpathOfExisting(path: string): Promise<string | null> {
  const real = await realpath(path).catch(() => null)
  if (real !== null) return real
  // A link that leads to nothing yet, or to nothing that we may see.
  const exists = await lstat(path).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code !== 'ENOENT',
  )
  if (exists || dirname(path) === path) return null
  const above = await realpathOfExisting(dirname(path))
  return above === null ? null : join(above, basename(path))
}

async function isOfAnotherUser(path: string): Promise<boolean> {
  if (process.getuid === undefined) return false
  const { uid } = await stat(path)
  return uid !== process.getuid() && uid !== 0
}
