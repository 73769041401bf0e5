/** `config show | validate | path`: what counts here, and why. */
import { resolve } from 'node:path'
import { findConfigFile, loadConfig, type ResolvedSetting } from '../config/configuration.ts'
import { ConfigError } from '../events/errors/config.ts'
import type { GivenOptions, GlobalOptions } from './global-options.ts'
import { inert, jsonLine, terminal } from './terminal.ts'

export function show(globals: GlobalOptions): void {
  const screen = terminal(globals)
  const { file, settings, agents = [], workflows = [] } = globals.config
  if (screen.json) {
    for (const setting of settings) screen.value(setting)
    return
  }
  const width = Math.max(...settings.map(({ key }) => key.length))
  const values = settings.map(({ value }) => inert(shown(value)))
  const valueWidth = Math.min(40, Math.max(...values.map(({ length }) => length)))
  settings.forEach((setting, index) => {
    const value = (values[index] ?? '').padEnd(valueWidth)
    const line = `${setting.key.padEnd(width)}  ${value}  ${source(setting)}`
    screen.line(setting.from === 'default' ? screen.style('dim', line) : line)
  })
  screen.line(`agents: ${inert(agents.map(({ id }) => id).join(', ')) || 'none declared'}`)
  screen.line(`workflows: ${inert(workflows.map(({ name }) => name).join(', ')) || 'none declared'}`)
  screen.note(file === null ? 'There is no configuration file here or above.' : `The file: ${inert(file)}`)
}

const shown = (value: unknown) => (value === null ? '-' : typeof value === 'string' ? value : jsonLine(value))

const source = ({ from, place }: ResolvedSetting) => (place === null ? from : `${from} (${inert(place)})`)

/** The file alone: what the environment says is left out. */
export async function validate(file: string | undefined, given: GivenOptions): Promise<void> {
  const screen = terminal({ json: given.json ?? false, color: given.color })
  const path = file === undefined ? await findConfigFile(process.cwd()) : resolve(file)
  if (path === null) {
    screen.note('There is no configuration file here or above. Make one: claude-agents init')
    process.exitCode = 1
    return
  }
  try {
    const { agents = [], workflows = [] } = await loadConfig({ file: path, environment: {} })
    if (screen.json) screen.value({ file: path, ok: true, problems: [] })
    else
      screen.line(
        `${inert(path)} is in order: ${counted(agents, 'agent')}, ${counted(workflows, 'workflow')}.`,
      )
  } catch (error) {
    if (!(error instanceof ConfigError) || !screen.json) throw error
    screen.value({ file: path, ok: false, problems: error.details.problems })
    process.exitCode = 1
  }
}

export async function path(given: GivenOptions): Promise<void> {
  const screen = terminal({ json: given.json ?? false, color: given.color })
  const found = given.config === undefined ? await findConfigFile(process.cwd()) : resolve(given.config)
  if (screen.json) screen.value({ file: found })
  else if (found !== null) screen.line(inert(found))
  if (found !== null) return
  if (!screen.json) screen.note('There is no configuration file here or above. Make one: claude-agents init')
  process.exitCode = 1
}

const counted = (things: readonly unknown[], what: string) =>
  `${things.length} ${what}${things.length === 1 ? '' : 's'}`
