/** `config show | validate | path`: which settings apply here, and where they come from. */
import { stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import type { Command } from 'commander'
import { type Config, findConfigFile, loadConfig, readConfigFile } from '../../config/configuration.ts'
import type { ResolvedSetting } from '../../config/layers.ts'
import { trust, untrust } from '../../config/trust.ts'
import { ConfigError, type ConfigProblem } from '../../events/errors/config.ts'
import { InvalidInputError } from '../../events/errors/usage.ts'
import { plural } from '../../events/figures.ts'
import { jsonLine, visibleName } from '../../events/hidden-characters.ts'
import { defined } from '../../events/json.ts'
import { receiverId } from '../../events/options/notify.ts'
import { type ProjectSettings, projectSettings } from '../../workspaces/files/project.ts'
import { commitOf, userRepository } from '../../workspaces/files/worktree.ts'
import { completeOptions, type GivenOptions, type GlobalOptions, withGiven } from '../global-options.ts'
import { type Terminal, terminal } from '../terminal/output.ts'
import { table } from '../terminal/table.ts'
import { inert } from '../terminal/text.ts'

export function configCommands(config: Command): void {
  config
    .command('show')
    .description('show every setting and where it comes from')
    .action(withGiven(async (given) => show(await completeOptions(given, { untrusted: 'load' }))))
  config
    .command('validate [file]')
    .description('check a configuration file; exits with 1 if anything is wrong')
    .action(withGiven(validate))
  config
    .command('path')
    .description('print the path of the configuration file in use')
    .action(withGiven(path))
  config
    .command('trust [path]')
    .description(
      'let a configuration file, as it is now, leave its folder and grant tools; or, given a directory, let the settings for Claude Code of its repository count',
    )
    .action(withGiven(trustPath))
  config
    .command('untrust [path]')
    .description('take the trust in a configuration file or a repository back')
    .action(withGiven(untrustPath))
}

const NO_FILE = 'There is no configuration file here or in a parent directory.'
const MAKE_ONE = `${NO_FILE} Create one: claude-agents init`

function show(globals: GlobalOptions): void {
  const screen = terminal(globals)
  const { file, settings, agents = [], workflows = [], notify = [], untrusted = [] } = globals.config
  if (screen.json) {
    for (const setting of settings) screen.value(setting)
    return
  }
  const columns = [
    { head: 'SETTING' },
    { head: 'VALUE', flexible: true },
    { head: 'FROM', flexible: true },
  ] as const
  const rows = settings.map((setting) => {
    const cells = [setting.key, shownValue(setting), sourceOf(setting)]
    return setting.from === 'default' ? cells.map((cell) => ['dim', cell] as const) : cells
  })
  for (const line of table(screen, columns, rows)) screen.line(line)
  screen.line(`agents: ${inert(agents.map(({ id }) => id).join(', ')) || 'none declared'}`)
  screen.line(`workflows: ${inert(workflows.map(({ name }) => name).join(', ')) || 'none declared'}`)
  if (notify.length > 0) screen.line(`notify: ${notify.map(receiverId).join(', ')}`)
  screen.note(file === null ? NO_FILE : `Configuration file: ${inert(file)}`)
  noteUntrusted(screen, untrusted)
}

const shownValue = ({ value }: ResolvedSetting) =>
  value === null ? '-' : typeof value === 'string' ? value : jsonLine(value)

const sourceOf = ({ from, place }: ResolvedSetting) => (place === null ? from : `${from} (${inert(place)})`)

/** Checks the file alone, without the settings of the environment. */
async function validate(given: GivenOptions, named: string | undefined): Promise<void> {
  const screen = terminal(given)
  const path = await pathOf(given, named)
  if (path === null) {
    screen.note(MAKE_ONE)
    process.exitCode = 1
    return
  }
  try {
    const isFound = (await findConfigFile(dirname(path))) === path
    const {
      agents = [],
      workflows = [],
      notify = [],
      ...config
    } = await loadConfig(
      defined({
        file: path,
        environment: withoutSettings(process.env),
        untrusted: isFound ? 'load' : undefined,
      }),
    )
    const { untrusted = [] } = config
    await checkRepositories(path, agents)
    if (screen.json) return screen.value({ file: path, ok: true, problems: [], untrusted })
    const receivers = notify.length === 0 ? '' : `, ${plural(notify.length, 'receiver')} of notifications`
    const content = `${plural(agents.length, 'agent')}, ${plural(workflows.length, 'workflow')}${receivers}`
    screen.line(`${inert(path)} is valid: ${content}.`)
    noteUntrusted(screen, untrusted)
    if (untrusted.length > 0) screen.note('Until then, other commands refuse this file.')
  } catch (error) {
    if (!(error instanceof ConfigError) || !screen.json) throw error
    screen.value({ file: path, ok: false, problems: error.details.problems })
    process.exitCode = 1
  }
}

/** That the agents could be created, which needs a look at their repositories. Throws ConfigError. */
async function checkRepositories(path: string, agents: NonNullable<Config['agents']>): Promise<void> {
  const problems: ConfigProblem[] = []
  for (const [index, { workspace }] of agents.entries())
    try {
      if (workspace) await commitOf(await userRepository(workspace.repo), workspace.base ?? 'HEAD')
    } catch (error) {
      if (!(error instanceof InvalidInputError)) throw error
      const { ConfigDocument } = await import('../../config/document.ts')
      const document = new ConfigDocument(path, await readConfigFile(path))
      const { what, problem, hint = '' } = error.details
      problems.push({
        place: document.place(['agents', index, 'workspace']),
        problem: `${what}: ${problem}`,
        hint,
      })
    }
  if (problems.length > 0) throw new ConfigError(problems)
}

/** What finding out about trust needs, but no setting. */
const withoutSettings = (environment: NodeJS.ProcessEnv) =>
  Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith('CLAUDE_AGENTS_')))

function noteUntrusted(screen: Terminal, untrusted: readonly ConfigProblem[]): void {
  for (const { place, problem } of untrusted)
    screen.note(screen.accent('yellow', `not trusted: ${inert(place)}: ${inert(problem)}`))
  if (untrusted.length > 0) screen.note('If you want this: claude-agents config trust')
}

async function path(given: GivenOptions): Promise<void> {
  const screen = terminal(given)
  const found = await pathOf(given)
  if (screen.json) screen.value({ file: found })
  else if (found === null) screen.note(MAKE_ONE)
  else screen.line(inert(found))
  if (found === null) process.exitCode = 1
}

/** Trusts what was read: a file that changes meanwhile is another one. */
async function trustPath(given: GivenOptions, named: string | undefined): Promise<void> {
  const screen = terminal(given)
  const path = await fileOf(given, named)
  const settings = await settingsIn(path)
  if (settings) return trustSettings(screen, settings)
  const text = await readConfigFile(path)
  // A file with mistakes is not trusted: what it does is unknown.
  await loadConfig({ file: path, environment: {} })
  await trust({ path, text }, process.env, { alone: true })
  if (screen.json) return screen.value({ file: path, trusted: true })
  screen.line(`Trusted ${inert(path)} as it is now.`)
  screen.note('When it changes, it has to be trusted again. To take this back: claude-agents config untrust')
}

async function trustSettings(
  screen: Terminal,
  { tree, repository, files, hash, problem }: SettingsOfTree,
): Promise<void> {
  if (files.length === 0 || problem !== undefined)
    throw new InvalidInputError({
      what: `The settings for Claude Code in ${tree}`,
      problem: problem ?? 'there are none: no CLAUDE.md, no .claude, no .mcp.json',
    })
  await trust({ path: repository, text: hash }, process.env)
  if (screen.json) return screen.value({ directory: tree, files, trusted: true })
  screen.line(`Trusted the settings of ${inert(tree)} as they are now: ${files.map(visibleName).join(', ')}.`)
  screen.note(
    `When they change, you are asked again. To take this back: claude-agents config untrust ${tree}`,
  )
}

async function untrustPath(given: GivenOptions, named: string | undefined): Promise<void> {
  const screen = terminal(given)
  const path = await fileOf(given, named)
  const settings = await settingsIn(path)
  const wasTrusted = await untrust(settings?.repository ?? path, process.env)
  const what = settings?.tree ?? path
  if (screen.json) return screen.value({ [settings ? 'directory' : 'file']: what, trusted: false })
  screen.line(wasTrusted ? `${inert(what)} is no longer trusted.` : `${inert(what)} was not trusted.`)
}

interface SettingsOfTree extends ProjectSettings {
  readonly tree: string
  readonly repository: string
}

/** The settings for Claude Code in the tree of a directory; null if it is none. */
async function settingsIn(path: string): Promise<SettingsOfTree | null> {
  const isDirectory = await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  )
  if (!isDirectory) return null
  const { path: tree, common: repository } = await userRepository(path)
  return { tree, repository, ...(await projectSettings(tree)) }
}

async function fileOf(given: GivenOptions, named: string | undefined): Promise<string> {
  const path = await pathOf(given, named)
  if (path !== null) return path
  throw new InvalidInputError({ what: 'The file', problem: 'there is none here or in a parent directory' })
}

async function pathOf({ config }: GivenOptions, named = config): Promise<string | null> {
  return named === undefined ? findConfigFile(process.cwd()) : resolve(named)
}
