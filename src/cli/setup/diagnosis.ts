/** Checks everything that agents need, and says how to fix what is wrong. */
import { existsSync, lstatSync } from 'node:fs'
import { access, constants, readdir, stat, statfs } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { type LoginKind, loginKind } from '../../claude/login.ts'
import { formatVersion, locateProgram } from '../../claude/program.ts'
import { requireEngine } from '../../cluster/requirements.ts'
import { describeError } from '../../events/errors/base.ts'
import { codeOf, LOG_IN, shellWord } from '../../events/errors/phrases.ts'
import { StoreNotOpened } from '../../events/errors/store.ts'
import { plural } from '../../events/figures.ts'
import { streamName } from '../../events/ids.ts'
import { type NotificationReceiver, receiverId } from '../../events/options/notify.ts'
import { problemWith } from '../../notifications/receivers.ts'
import { connectOwner } from '../../remote/client.ts'
import { verifyStore } from '../../store/care/verification.ts'
import { inspectStoreDirectory, storePaths } from '../../store/level/directory.ts'
import { liveOwner, type StoreOwner } from '../../store/level/lock.ts'
import { databaseFindings } from '../../store/postgres/diagnosis.ts'
import { leftOvers } from '../../store/unfinished.ts'
import { agentDirectories, agentsFolder, snapshotsPath } from '../../workspaces/directories.ts'
import { isWorktree, userRepository, worktreesBelow } from '../../workspaces/files/worktree.ts'
import { unplacedInWords } from '../agent/whereabouts.ts'

export interface Check {
  readonly name: string
  readonly status: 'ok' | 'warning' | 'failed'
  /** What was found. */
  readonly message: string
  /** What to do; empty if there is nothing to do. */
  readonly fix: string
}

export interface DoctorOptions {
  readonly baseDir: string
  /** The `claude` program, if one is configured. */
  readonly claudePath?: string
  readonly environment?: NodeJS.ProcessEnv
  /** Who is to be notified. */
  readonly notify?: readonly NotificationReceiver[]
  /** The URL of the database that has the log, if it is in none of the base directory. */
  readonly database?: string
  /** Whether the model is simulated, which needs no login. */
  readonly simulated?: boolean
  /** Asks the model a question and returns its answer, or throws what is wrong. */
  readonly roundTrip?: () => Promise<string>
}

/**
 * Makes the checks one after another. It never throws: an error is a failed check.
 *
 * @example
 * for await (const { name, status, message } of diagnose({ baseDir: '.claude-agents' })) console.log(status, name, message)
 */
export async function* diagnose(options: DoctorOptions): AsyncGenerator<Check> {
  const { claudePath, environment = process.env, notify = [], simulated = false, roundTrip } = options
  const { database } = options
  const baseDir = resolve(options.baseDir)
  yield checkNode(process.versions.node)
  yield await guarded('claude', () => checkClaude(claudePath, environment))
  yield simulated ? ok('login', 'not needed: the model is simulated') : checkLogin(loginKind(environment))
  const found = await existing(baseDir).catch((error) => failed('directory', error))
  if (typeof found === 'string') {
    yield await guarded('directory', () => checkDirectory(baseDir, found))
    yield await guarded('disk', () => checkDisk(found))
  } else yield found
  if (database !== undefined) yield* databaseChecks(database)
  else if (found === baseDir) yield* storeChecks(baseDir)
  else if (typeof found === 'string') yield* [ok('lock', NO_OWNER), NO_STORE]
  yield* await checkLeftOvers(baseDir)
  yield* await checkWorktrees(baseDir).catch((error) => [failed('worktrees', error)])
  if (notify.length > 0) yield await guarded('notify', () => checkNotify(notify, environment))
  if (roundTrip) yield await guarded('round trip', () => checkRoundTrip(roundTrip))
}

const ok = (name: string, message: string): Check => ({ name, status: 'ok', message, fix: '' })

const NO_OWNER = 'no other process has the store open'
const NO_STORE = ok('store', 'none yet')

async function* storeChecks(baseDir: string): AsyncGenerator<Check> {
  try {
    const owner = await liveOwner(baseDir)
    yield owner === null ? ok('lock', NO_OWNER) : await checkOwner(baseDir, owner)
    if (owner === null) yield await guarded('store', () => checkStore(baseDir))
  } catch (error) {
    yield failed('lock', error)
  }
}

/** Whether the process that has the store open answers those that need it. */
async function checkOwner(baseDir: string, { pid }: StoreOwner): Promise<Check> {
  const name = 'lock'
  try {
    const client = await connectOwner(baseDir)
    client?.close()
    return ok(name, `${pid === null ? 'another process' : `process ${pid}`} has the store open`)
  } catch (error) {
    return failed(name, error)
  }
}

async function* databaseChecks(url: string): AsyncGenerator<Check> {
  try {
    for await (const { name, isFine, message, fix } of databaseFindings(url))
      yield isFine ? ok(name, message) : { name, status: 'warning', message, fix }
    yield await checkCluster(url)
  } catch (error) {
    yield failed('database', error)
  }
}

/** Whether this machine can take part in the cluster that the database has, or would. */
async function checkCluster(url: string, version = process.versions.node): Promise<Check> {
  const name = 'cluster'
  const { WorkerTable } = await import('../../cluster/worker-table.ts')
  await using members = await WorkerTable.at(url)
  const workers = await members.list()
  const there = workers.length === 0 ? 'no worker' : plural(workers.length, 'worker')
  try {
    await members.checkProtocol()
    await requireEngine(version)
    const unplaced = workers.length === 0 ? undefined : unplacedInWords(await members.unplaced())
    if (unplaced !== undefined)
      return {
        name,
        status: 'warning',
        message: `${there}, and ${unplaced}`,
        fix: 'Start one: claude-agents worker --label NAME. Or change what they require: claude-agents agent edit AGENT --unset requires',
      }
    return ok(name, `${there}; this machine can have one`)
  } catch (error) {
    const { message, hint } = describeError(error)
    // One process works with the log, and needs nothing of this.
    if (workers.length === 0) return ok(name, `${there}, and none is possible here: ${message}`)
    return {
      name,
      status: 'warning',
      message: `${there}, which cannot be reached from here: ${message}`,
      fix: hint,
    }
  }
}

async function guarded(name: string, check: () => Promise<Check>): Promise<Check> {
  try {
    return await check()
  } catch (error) {
    return failed(name, error)
  }
}

function failed(name: string, error: unknown): Check {
  const { message, hint } = describeError(error)
  return { name, status: 'failed', message, fix: hint }
}

const OLDEST_NODE = [20, 19] as const

export function checkNode(version: string): Check {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const [oldestMajor, oldestMinor] = OLDEST_NODE
  const isEnough = major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)
  if (isEnough) return ok('node', `version ${version}`)
  const fix = `Install Node ${OLDEST_NODE.join('.')} or newer: https://nodejs.org`
  return { name: 'node', status: 'failed', message: `version ${version} is too old`, fix }
}

async function checkClaude(path: string | undefined, environment: NodeJS.ProcessEnv): Promise<Check> {
  const program = await locateProgram({ path, environment })
  return ok('claude', `version ${formatVersion(program.version)} at ${program.path}`)
}

function checkLogin({ kind, where }: LoginKind): Check {
  switch (kind) {
    case 'cloud':
      return ok('login', `through a cloud (${where})`)
    case 'variable':
      return ok('login', `in the variable ${where}`)
    case 'stored':
      return ok('login', `stored in ${where}`)
    case 'unknown':
      return ok('login', `possibly in ${where}; --live makes sure`)
    case 'none':
      return {
        name: 'login',
        status: 'warning',
        message: `none found, neither in a variable nor in ${where}`,
        fix: `${LOG_IN} Without one, --simulate works.`,
      }
  }
}

/** The directory itself, or its nearest existing parent. Throws {@link StoreNotOpened} for anything that is not a directory. */
async function existing(directory: string): Promise<string> {
  try {
    // With the slash it has to be a directory.
    await stat(join(directory, '/'))
    return directory
  } catch (error) {
    const isMissing = codeOf(error) === 'ENOENT' && !lstatSync(directory, { throwIfNoEntry: false })
    if (isMissing) return existing(dirname(directory))
    throw StoreNotOpened.from(directory, error)
  }
}

async function checkDirectory(baseDir: string, found: string): Promise<Check> {
  const name = 'directory'
  const { uid, mode } = await stat(found)
  const isWritable = await access(found, constants.W_OK | constants.X_OK).then(
    () => true,
    () => false,
  )
  if (!isWritable) {
    const fix = `Choose another one (--base-dir), or: chmod u+rwx ${found}`
    return { name, status: 'failed', message: `${found} cannot be written`, fix }
  }
  if (found !== baseDir) return ok(name, `${baseDir} will be created when needed`)
  const isOthers = process.getuid !== undefined && uid !== process.getuid()
  if (isOthers) {
    const fix = 'Use your own directory (--base-dir): its owner can change the log.'
    return { name, status: 'warning', message: `${baseDir} belongs to user ${uid}`, fix }
  }
  if ((mode & 0o077) !== 0) {
    const message = `other users can read ${baseDir}, which contains prompts and answers`
    return { name, status: 'warning', message, fix: `chmod go-rwx ${baseDir}` }
  }
  return ok(name, `${baseDir}, private to you`)
}

const MEGABYTE = 1024 * 1024
/** A call's transcripts and bodies take a few megabytes. */
const LITTLE_SPACE = 1024 * MEGABYTE
const NO_SPACE = 100 * MEGABYTE

async function checkDisk(directory: string): Promise<Check> {
  const { bavail, bsize } = await statfs(directory)
  const free = bavail * bsize
  const message = `${free < LITTLE_SPACE ? `${Math.floor(free / MEGABYTE)} MB` : `${Math.floor(free / LITTLE_SPACE)} GB`} free`
  if (free >= LITTLE_SPACE) return ok('disk', message)
  const fix = 'Free some space, or drop old prompts and answers: claude-agents log compact --keep 100'
  return { name: 'disk', status: free < NO_SPACE ? 'failed' : 'warning', message, fix }
}

async function checkStore(baseDir: string): Promise<Check> {
  // What is wrong with it, the verification says.
  const isNone = await inspectStoreDirectory(storePaths(baseDir)).then(
    (storeId) => storeId === null,
    () => false,
  )
  if (isNone) return NO_STORE
  const { ok: isWell, findings, facts } = await verifyStore(baseDir)
  if (isWell) return ok('store', `${plural(facts, 'fact')}, every byte as it was written`)
  const [first] = findings
  const message = `${plural(findings.length, 'problem')}; the first: ${first?.problem ?? ''}`
  const fix = 'List them: claude-agents log verify. Then save the rest: claude-agents log repair --to DIR'
  return { name: 'store', status: 'failed', message, fix }
}

/** What killed imports, restores, repairs, exports, backups and readers have left. */
async function checkLeftOvers(baseDir: string): Promise<readonly Check[]> {
  const left = [...(await leftOvers(dirname(baseDir))), ...(await leftOvers(baseDir))]
  if (left.length === 0) return []
  const message = `killed commands have left ${left.join(', ')}`
  const fix = `Repeat the command, which removes what it left, or: rm -r ${left.map(shellWord).join(' ')}`
  return [{ name: 'left-overs', status: 'warning', message, fix }]
}

/** Worktrees whose agent is gone, and agents whose worktree or repository is gone. */
async function checkWorktrees(baseDir: string): Promise<readonly Check[]> {
  const name = 'worktrees'
  const agents = await repositoryAgents(baseDir)
  const warnings: Check[] = []
  const warn = (message: string, fix: string) => warnings.push({ name, status: 'warning', message, fix })
  for (const { id, repo, directory } of agents) {
    if (!existsSync(repo)) {
      const fix = `Bring it back. Until then, its files are in ${directory}, and its snapshots can be looked at: claude-agents agent diff ${id} --turn N`
      warn(`the repository of ${id} is gone: ${repo}`, fix)
    } else if (!(await isWorktree(directory))) {
      const fix = 'Nothing: the next task makes it again, from the newest snapshot.'
      warn(`the worktree of ${id} is gone: ${directory}`, fix)
    }
  }
  const known = new Set(agents.map(({ directory }) => directory))
  const left = new Map<string, string>()
  for (const directory of [...agents.map(({ repo }) => repo), process.cwd()]) {
    const repository = await userRepository(directory).catch(() => null)
    if (!repository) continue
    for (const worktree of await worktreesBelow(repository, agentsFolder(baseDir)))
      if (!known.has(worktree)) left.set(worktree, repository.path)
  }
  for (const [worktree, repo] of left) {
    const remove = `git -C ${shellWord(repo)} worktree remove --force ${shellWord(worktree)}`
    const fix = existsSync(worktree)
      ? `Take what you need from it, then: ${remove}`
      : `git -C ${shellWord(repo)} worktree prune`
    warn(`${worktree} is a worktree of ${repo}, and has no agent`, fix)
  }
  if (warnings.length > 0 || agents.length === 0) return warnings
  return [ok(name, `${plural(agents.length, 'agent')} with a worktree`)]
}

interface RepositoryAgent {
  readonly id: string
  readonly repo: string
  readonly directory: string
}

/** The agents that work on repositories, from the log. */
async function repositoryAgents(baseDir: string): Promise<readonly RepositoryAgent[]> {
  const known = join(snapshotsPath(baseDir), 'agents')
  const ids = await readdir(known).catch(() => [])
  if (ids.length === 0) return []
  const [{ openLog }, { foldStream }, { agentKind }] = await Promise.all([
    import('../../remote/live-log.ts'),
    import('../../actors/engine/history.ts'),
    import('../../actors/agent/machine.ts'),
  ])
  const { store } = await openLog(baseDir)
  try {
    const agents: RepositoryAgent[] = []
    for (const id of ids) {
      // A directory of an agent's own is not laid out.
      if (!existsSync(join(known, id, 'laid-out'))) continue
      const { snapshot } = await foldStream(agentKind, store, streamName('agent', id))
      const { workspace } = snapshot.context.config ?? {}
      if (workspace)
        agents.push({ id, repo: workspace.repo, directory: agentDirectories(baseDir, id).workspace })
    }
    return agents
  } finally {
    await store[Symbol.asyncDispose]()
  }
}

async function checkNotify(
  notify: readonly NotificationReceiver[],
  environment: NodeJS.ProcessEnv,
): Promise<Check> {
  const name = 'notify'
  for (const receiver of notify) {
    const problem = await problemWith(receiver, environment)
    if (problem === null) continue
    const fix = 'Correct it under notify: in the configuration file, then: claude-agents notify test'
    return { name, status: 'warning', message: `${receiverId(receiver)}: ${problem}`, fix }
  }
  return ok(name, `${plural(notify.length, 'receiver')}; claude-agents notify test tries them`)
}

async function checkRoundTrip(ask: () => Promise<string>): Promise<Check> {
  const answer = await ask()
  return ok('round trip', `the model answered: ${answer.trim().slice(0, 60)}`)
}
