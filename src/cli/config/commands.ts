/** `config show | validate | path`: which settings apply here, and where they come from. */
import { dirname, resolve } from 'node:path'
import type { Command } from 'commander'
import { findConfigFile, loadConfig, readConfigFile } from '../../config/configuration.ts'
import type { ResolvedSetting } from '../../config/layers.ts'
import { trustFile, untrustFile } from '../../config/trust.ts'
import { ConfigError, type ConfigProblem } from '../../events/errors/config.ts'
import { InvalidInputError } from '../../events/errors/usage.ts'
import { plural } from '../../events/figures.ts'
import { defined } from '../../events/json.ts'
import { receiverId } from '../../events/options/notify.ts'
import { completeOptions, type GivenOptions, type GlobalOptions, withGiven } from '../global-options.ts'
import { type Terminal, terminal } from '../terminal/output.ts'
import { table } from '../terminal/table.ts'
import { inert, jsonLine } from '../terminal/text.ts'

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
    .command('trust [file]')
    .description('let a configuration file, as it is now, leave its folder and grant tools')
    .action(withGiven(trust))
  config
    .command('untrust [file]')
    .description('take the trust in a configuration file back')
    .action(withGiven(untrust))
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
async function trust(given: GivenOptions, named: string | undefined): Promise<void> {
  const screen = terminal(given)
  const path = await fileOf(given, named)
  const text = await readConfigFile(path)
  // A file with mistakes is not trusted: what it does is unknown.
  await loadConfig({ file: path, environment: {} })
  await trustFile({ path, text }, process.env)
  if (screen.json) return screen.value({ file: path, trusted: true })
  screen.line(`Trusted ${inert(path)} as it is now.`)
  screen.note('When it changes, it has to be trusted again. To take this back: claude-agents config untrust')
}

async function untrust(given: GivenOptions, named: string | undefined): Promise<void> {
  const screen = terminal(given)
  const path = await fileOf(given, named)
  const wasTrusted = await untrustFile(path, process.env)
  if (screen.json) return screen.value({ file: path, trusted: false })
  screen.line(wasTrusted ? `${inert(path)} is no longer trusted.` : `${inert(path)} was not trusted.`)
}

async function fileOf(given: GivenOptions, named: string | undefined): Promise<string> {
  const path = await pathOf(given, named)
  if (path !== null) return path
  throw new InvalidInputError({ what: 'The file', problem: 'there is none here or in a parent directory' })
}

async function pathOf({ config }: GivenOptions, named = config): Promise<string | null> {
  return named === undefined ? findConfigFile(process.cwd()) : resolve(named)
}
