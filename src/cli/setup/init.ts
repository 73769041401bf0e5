/** `init`: writes a configuration file and adds the store to .gitignore. It overwrites nothing. */
import { appendFile, lstat, readFile, writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { trust } from '../../config/trust.ts'
import { InvalidInputError } from '../../events/errors/usage.ts'
import { type GivenOptions, withGiven } from '../global-options.ts'
import { terminal } from '../terminal/output.ts'
import { inert } from '../terminal/text.ts'

export function initCommand(command: Command): void {
  command
    .option('-y, --yes', 'ask nothing and accept the defaults')
    .option('--force', 'overwrite an existing file')
    .action(withGiven(init))
}

const FILE = 'claude-agents.yaml'
const IGNORED = ['.claude-agents/']

interface InitOptions {
  readonly yes?: boolean
  readonly force?: boolean
}

interface Wishes {
  readonly agents: readonly string[]
  readonly maxAgents: number
  readonly model: string
}

const ROLES: Readonly<Record<string, string>> = {
  researcher:
    'You are a research specialist. Find out what is known, with sources, and say how sure you are.',
  analyst: 'You are an analyst. Say what the findings you are given mean, and what is missing.',
  writer: 'You are a technical writer. Turn the material you are given into a short, clear report.',
  developer: 'You are a software developer. Do what you are asked in the simplest way that is correct.',
  reviewer: 'You are a code reviewer. Report what can go wrong, where, and how to fix it.',
}
const DEFAULT_WISHES: Wishes = { agents: ['researcher', 'analyst', 'writer'], maxAgents: 100, model: '' }

async function init(given: GivenOptions, options: InitOptions): Promise<void> {
  const screen = terminal(given)
  const path = resolve(given.config ?? FILE)
  if (!options.force && (await lstat(path).catch(() => null))) throw alreadyExists(path)
  const wishes = options.yes || screen.json ? DEFAULT_WISHES : await ask()
  if (wishes === null) {
    process.exitCode = 130
    return screen.note('Nothing was written.')
  }
  const text = configText(wishes)
  await write(path, text, options.force ?? false)
  await trust({ path, text }, process.env, { alone: true })
  const ignored = await ignore(resolve('.gitignore'))
  if (screen.json) return screen.value({ file: path, agents: wishes.agents, ignored })
  screen.line(`Wrote ${inert(path)}${ignored.length > 0 ? `, and ${ignored.join(', ')} to .gitignore` : ''}.`)
  const [first = 'researcher'] = wishes.agents
  screen.note('Check the setup:   claude-agents doctor')
  screen.note(`Ask an agent:      claude-agents agent ask ${first} "..."`)
  screen.note('Run the workflow:  claude-agents workflow run --workflow report "..."')
  screen.note('Add --simulate to try them without a login or cost.')
}

const alreadyExists = (path: string) =>
  new InvalidInputError({
    what: path,
    problem: 'it already exists',
    hint: 'Edit it, or overwrite it: claude-agents init --force',
  })

async function write(path: string, text: string, force: boolean): Promise<void> {
  try {
    await writeFile(path, text, { flag: force ? 'w' : 'wx' })
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    if (code === 'EEXIST') throw alreadyExists(path)
    throw new InvalidInputError(
      { what: path, problem: `it cannot be written (${code ?? message})` },
      { cause },
    )
  }
}

/** null when the user cancelled. */
async function ask(): Promise<Wishes | null> {
  if (!process.stdin.isTTY || !process.stdout.isTTY) {
    throw new InvalidInputError({
      what: 'init',
      problem: 'it asks questions, which needs a terminal',
      hint: 'Accept the defaults: claude-agents init --yes',
    })
  }
  const { isCancel, multiselect, text } = await import('@clack/prompts')
  const agents = await multiselect({
    message: 'Which agents do you want to start with?',
    options: Object.entries(ROLES).map(([value, hint]) => ({ value, label: value, hint })),
    initialValues: [...DEFAULT_WISHES.agents],
    required: true,
  })
  if (isCancel(agents)) return null
  const model = await text({
    message: 'Which model? (empty: the default of claude)',
    placeholder: 'sonnet',
    defaultValue: '',
    validate: (given) =>
      /\s/.test((given ?? '').trim()) ? 'The name of one model, such as sonnet.' : undefined,
  })
  if (isCancel(model)) return null
  const maxAgents = await text({
    message: 'How many agents may exist at once?',
    initialValue: String(DEFAULT_WISHES.maxAgents),
    validate: (given) => (/^[1-9]\d{0,5}$/.test(given ?? '') ? undefined : 'A whole number of at least 1.'),
  })
  return isCancel(maxAgents) ? null : { agents, model: model.trim(), maxAgents: Number(maxAgents) }
}

/** Adds the missing entries and returns them. A link could lead anywhere, and git does not follow it either. */
async function ignore(path: string): Promise<readonly string[]> {
  const found = await lstat(path).catch(() => null)
  if (found && !found.isFile()) return []
  const before = await readFile(path, 'utf8').catch(() => '')
  const lines = before.split('\n').map((line) => line.trim())
  const missing = IGNORED.filter(
    (entry) => !lines.includes(entry) && !lines.includes(entry.replace(/\/$/, '')),
  )
  const separator = before === '' || before.endsWith('\n') ? '' : '\n'
  if (missing.length > 0) await appendFile(path, `${separator}${missing.join('\n')}\n`)
  return missing
}

/** Every line says what it is for: for a user this file is the first page of the manual. */
function configText({ agents, maxAgents, model }: Wishes): string {
  const declared = agents.map(
    (id) => `  - id: ${id}\n    system_prompt: ${JSON.stringify(ROLES[id] ?? `You are a ${id}.`)}\n`,
  )
  return `# yaml-language-server: $schema=./node_modules/claude-multi-agent/dist/claude-agents.schema.json
# The configuration of claude-agents. See which settings apply: claude-agents config show

orchestrator:
  base_dir: ./.claude-agents # directory of the log and the agents
  max_agents: ${maxAgents}

# Defaults for all agents.
agent_defaults:
  timeout: 1800 # seconds of work on a task, retries included; waiting does not count
  retry_attempts: 3
  ${model === '' ? '# model: sonnet' : `model: ${JSON.stringify(model)}`}
  # max_turns: 10
  # allowed_tools: [Read, Grep] # then: claude-agents config trust

logging:
  level: warn # debug, info, warn, error or silent
  # file: ./claude-agents.log # lines of JSON

# Created when the store is opened, and kept as declared here. A changed prompt is recorded in the log.
agents:
${declared.join('')}
# claude-agents workflow run --workflow report "the state of tidal energy"
workflows:
  - name: report
    pattern: sequential # each agent gets the answer of the one before
    agents: [${agents.join(', ')}]
`
}
