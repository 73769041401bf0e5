/** `config show | validate | path`: which settings apply here, and where they come from. */
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { findConfigFile, loadConfig } from '../../config/configuration.ts'
import type { ResolvedSetting } from '../../config/layers.ts'
import { ConfigError } from '../../events/errors/config.ts'
import { plural } from '../../events/figures.ts'
import { type GivenOptions, type GlobalOptions, withGiven, withGlobals } from '../global-options.ts'
import { terminal } from '../terminal/output.ts'
import { table } from '../terminal/table.ts'
import { inert, jsonLine } from '../terminal/text.ts'

export function configCommands(config: Command): void {
  config.command('show').description('show every setting and where it comes from').action(withGlobals(show))
  config
    .command('validate [file]')
    .description('check a configuration file; exits with 1 if anything is wrong')
    .action(withGiven(validate))
  config
    .command('path')
    .description('print the path of the configuration file in use')
    .action(withGiven(path))
}

const NO_FILE = 'There is no configuration file here or in a parent directory.'
const MAKE_ONE = `${NO_FILE} Create one: claude-agents init`

function show(globals: GlobalOptions): void {
  const screen = terminal(globals)
  const { file, settings, agents = [], workflows = [] } = globals.config
  if (screen.json) {
    for (const setting of settings) screen.value(setting)
    return
  }
  const columns = [{ head: 'SETTING' }, { head: 'VALUE', flexible: true }, { head: 'FROM' }] as const
  const rows = settings.map((setting) => {
    const cells = [setting.key, shownValue(setting), sourceOf(setting)]
    return setting.from === 'default' ? cells.map((cell) => ['dim', cell] as const) : cells
  })
  for (const line of table(screen, columns, rows)) screen.line(line)
  screen.line(`agents: ${inert(agents.map(({ id }) => id).join(', ')) || 'none declared'}`)
  screen.line(`workflows: ${inert(workflows.map(({ name }) => name).join(', ')) || 'none declared'}`)
  screen.note(file === null ? NO_FILE : `Configuration file: ${inert(file)}`)
}

const shownValue = ({ value }: ResolvedSetting) =>
  value === null ? '-' : typeof value === 'string' ? value : jsonLine(value)

const sourceOf = ({ from, place }: ResolvedSetting) => (place === null ? from : `${from} (${inert(place)})`)

/** Checks the file alone, without the environment. */
async function validate(given: GivenOptions, named: string | undefined): Promise<void> {
  const screen = terminal(given)
  const path = await pathOf(given, named)
  if (path === null) {
    screen.note(MAKE_ONE)
    process.exitCode = 1
    return
  }
  try {
    const { agents = [], workflows = [] } = await loadConfig({ file: path, environment: {} })
    if (screen.json) return screen.value({ file: path, ok: true, problems: [] })
    const content = `${plural(agents.length, 'agent')}, ${plural(workflows.length, 'workflow')}`
    screen.line(`${inert(path)} is valid: ${content}.`)
  } catch (error) {
    if (!(error instanceof ConfigError) || !screen.json) throw error
    screen.value({ file: path, ok: false, problems: error.details.problems })
    process.exitCode = 1
  }
}

async function path(given: GivenOptions): Promise<void> {
  const screen = terminal(given)
  const found = await pathOf(given)
  if (screen.json) screen.value({ file: found })
  else if (found === null) screen.note(MAKE_ONE)
  else screen.line(inert(found))
  if (found === null) process.exitCode = 1
}

async function pathOf({ config }: GivenOptions, named = config): Promise<string | null> {
  return named === undefined ? findConfigFile(process.cwd()) : resolve(named)
}
