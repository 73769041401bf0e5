/**
 * What the user trusts, as it was when they said so, and as `direnv` does it: a configuration file that was found by
 * searching, or the settings for Claude Code that a repository brings along. Each answer is a file of the user's own, named by
 * a hash of place and content.
 */
import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { lstat, mkdir, open, readdir, realpath, rm, stat, writeFile } from 'node:fs/promises'
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path'
import type { ConfigProblem } from '../events/errors/config.ts'
import type { ValuePath } from '../events/options/decoding.ts'
import { unless } from '../workspaces/inputs/file-problems.ts'
import { userStateDirectory } from '../workspaces/place.ts'
import type { ConfigValues } from './schema.ts'

/** Something that can be trusted: where it lies, and what it is now. */
export interface Trustable {
  readonly path: string
  readonly text: string
}

type Environment = Readonly<Record<string, string | undefined>>

/** What the user has said about exactly this; `changed`: they trust another content of it. */
export type Trust = 'trusted' | 'refused' | 'changed' | 'unknown'

export async function trustOf(it: Trustable, environment: Environment): Promise<Trust> {
  const place = await placeOf(it.path)
  for (const said of ['trusted', 'refused'] as const)
    if ((await answerIn(fileOf(said, it.text, place, environment))) === place) return said
  return (await answersFor('trusted', place, environment)).length > 0 ? 'changed' : 'unknown'
}

/** Trusts this content. `alone`: and no other of it any longer. */
export async function trust(
  it: Trustable,
  environment: Environment,
  { alone = false }: { readonly alone?: boolean } = {},
): Promise<void> {
  if (alone) await untrust(it.path, environment)
  await say('trusted', it, environment)
}

/** Refuses this content: the user is not asked about it again. */
export const refuse = (it: Trustable, environment: Environment): Promise<void> =>
  say('refused', it, environment)

/** Forgets every answer. Whether something was trusted, with whatever content. */
export async function untrust(path: string, environment: Environment): Promise<boolean> {
  const place = await placeOf(path)
  const trusted = await answersFor('trusted', place, environment)
  const all = [...trusted, ...(await answersFor('refused', place, environment))]
  for (const file of all) await rm(file, { force: true })
  return trusted.length > 0
}

type Answer = 'trusted' | 'refused'

async function say(answer: Answer, { path, text }: Trustable, environment: Environment): Promise<void> {
  const place = await placeOf(path)
  await rm(fileOf(answer === 'trusted' ? 'refused' : 'trusted', text, place, environment), { force: true })
  const file = fileOf(answer, text, place, environment)
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  // An older answer is replaced, and no link is followed.
  await rm(file, { force: true })
  await unless(['EEXIST'], writeFile(file, place, { flag: 'wx', mode: 0o600 }))
}

/** The relative paths in a file start at its folder, so the same file by another name is another one. */
const placeOf = async (path: string) => join(await realpath(dirname(path)), basename(path))

const fileOf = (answer: Answer, text: string, place: string, environment: Environment) =>
  join(folderOf(answer, environment), createHash('sha256').update(`${place}\0${text}`).digest('hex'))

const folderOf = (answer: Answer, environment: Environment) => join(userStateDirectory(environment), answer)

async function answersFor(
  answer: Answer,
  place: string,
  environment: Environment,
): Promise<readonly string[]> {
  const folder = folderOf(answer, environment)
  const files = (await readdir(folder).catch(() => [])).map((name) => join(folder, name))
  const places = await Promise.all(files.map(answerIn))
  return files.filter((_, index) => places[index] === place)
}

const LONGEST_PLACE = 64 * 1024

/** The place that an answer is for; null if it is none of the user's own. */
async function answerIn(path: string): Promise<string | null> {
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
  const { orchestrator, agents = [], agent_defaults, supervision = [], cluster, claude, notify = [] } = values
  const found: ConfigProblem[] = []
  const add = (at: ValuePath, problem: string) => found.push({ place: placeOf(at), problem, hint: '' })
  const isInDatabase = cluster?.database !== undefined
  const isHere = await liesIn(baseDir, dirname(path))
  if (isInDatabase || !isHere) {
    if (!isHere && orchestrator?.base_dir !== undefined && isOfFile('orchestrator.base_dir'))
      add(['orchestrator', 'base_dir'], `the base directory ${baseDir} is outside of its folder`)
    const others = `for ${isInDatabase ? 'a database' : `the base directory ${baseDir}`}, which is outside of its folder`
    for (const section of ['orchestrator', 'agent_defaults', 'limits', 'budget'] as const)
      if (
        Object.keys(values[section] ?? {}).some((key) => key !== 'base_dir' && isOfFile(`${section}.${key}`))
      )
        add([section], `it has ${section} ${others}`)
    if (agents.length > 0) add(['agents'], `it declares agents ${others}`)
    if (supervision.length > 0) add(['supervision'], `it supervises agents ${others}`)
  }
  for (const [key, grants] of Object.entries(GRANTS) as [keyof typeof GRANTS, string][]) {
    if (hasTools(agent_defaults?.[key]) && isOfFile(`agent_defaults.${key}`))
      add(['agent_defaults', key], `${grants} all agents`)
    for (const [index, { id, [key]: tools }] of agents.entries())
      if (hasTools(tools)) add(['agents', index, key], `${grants} ${id}`)
  }
  // The user may grant tools to agents that get them.
  if (agent_defaults?.append_claude_md && isOfFile('agent_defaults.append_claude_md'))
    add(['agent_defaults', 'append_claude_md'], 'it gives instructions to all agents')
  for (const [index, { id, team }] of agents.entries())
    if (team === true || (team && team.length > 0))
      add(['agents', index, 'team'], `it grants the tools of a team to ${id}`)
  const hasServers = (servers = {}) => Object.keys(servers).length > 0
  if (hasServers(agent_defaults?.mcp_servers))
    add(['agent_defaults', 'mcp_servers'], 'it gives MCP servers to all agents')
  for (const [index, { id, mcp_servers }] of agents.entries())
    if (hasServers(mcp_servers)) add(['agents', index, 'mcp_servers'], `it gives MCP servers to ${id}`)
  for (const [index, { id, workspace }] of agents.entries())
    if (workspace && !(await liesIn(resolve(dirname(path), workspace.repo), dirname(path))))
      add(['agents', index, 'workspace'], `it lets ${id} work on a repository outside of its folder`)
  agents.forEach(({ id, workspace }, index) => {
    if (workspace?.project)
      add(['agents', index, 'workspace'], `it lets the settings of a project count for ${id}`)
  })
  for (const [key, does] of Object.entries(OF_CLUSTER) as [keyof typeof OF_CLUSTER, string][])
    if (cluster?.[key] !== undefined && isOfFile(`cluster.${key}`)) add(['cluster', key], does)
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

/** A tool whose calls a person approves is there for the model, which may use it for what needs no permission. */
const GRANTS = {
  allowed_tools: 'it grants tools to',
  approve_tools: 'it grants tools, on approval, to',
  add_dirs: 'it opens other directories to',
  env: 'it passes variables of your environment to',
  plugins: 'it gives plugins, which run as you, to',
} as const

const OF_CLUSTER = {
  database: 'it names the database that your prompts and answers go to',
  listen: 'it lets a worker listen at an address',
  advertise: 'it sends the other workers to an address',
  health: 'it lets a worker answer at an address',
  labels: 'it lets a worker have agents that require them',
} as const

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
