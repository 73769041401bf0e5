#!/usr/bin/env node
/** The command `claude-agents`. It knows the words; what they do is loaded when it is needed, so that help is instant. */
import { existsSync, readFileSync } from 'node:fs'
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { addArchiveCommands } from './archive-words.ts'
import { printFailure, reportFailure, USAGE } from './failure.ts'
import type { GivenOptions, GlobalOptions } from './global-options.ts'
import { LOG_LEVELS } from './stderr-logger.ts'
import { addWorkflowCommands } from './workflow-words.ts'

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string
}

const wholeNumber = (text: string) => {
  const number = Number(text)
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(number))
    throw new InvalidArgumentError('It must be a whole number.')
  return number
}
const list = (text: string) =>
  text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '')

/** `SRC` or `SRC:TARGET`; a path that is there may hold a colon itself. */
const mappings = (text: string, before: readonly { source: string; target?: string }[] = []) => {
  const colon = existsSync(text) ? -1 : text.lastIndexOf(':')
  const mapping =
    colon > 0 ? { source: text.slice(0, colon), target: text.slice(colon + 1) } : { source: text }
  return [...before, mapping]
}

/** `URL` or `URL#REF`. */
const repos = (text: string, before: readonly { url: string; ref?: string }[] = []) => {
  const hash = text.lastIndexOf('#')
  return [...before, hash > 0 ? { url: text.slice(0, hash), ref: text.slice(hash + 1) } : { url: text }]
}

const logLevel = (text: string) => {
  const level = text.toLowerCase()
  if ((LOG_LEVELS as readonly string[]).includes(level)) return level
  throw new InvalidArgumentError(`Use one of ${LOG_LEVELS.join(', ')}.`)
}

const program = new Command('claude-agents')
  .description('Teams of Claude agents that survive crashes: durable, supervised, replayable.')
  .version(version)
  .addOption(
    new Option('--base-dir <dir>', 'where the log and the agents live (.claude-agents unless told)').env(
      'CLAUDE_AGENTS_BASE_DIR',
    ),
  )
  .option('--config <file>', 'the configuration file (claude-agents.yaml here or above, unless told)')
  .option('--json', 'print JSON: one object, or one a line for lists')
  .option('--no-color', 'print without colours (as does NO_COLOR)')
  .addOption(
    new Option('--log-level <level>', `what to log on stderr: ${LOG_LEVELS.join(', ')} (warn unless told)`)
      .argParser(logLevel)
      .env('CLAUDE_AGENTS_LOG_LEVEL'),
  )
  .option('--claude <path>', 'the claude command to use')
  .option('--simulate', 'let claude talk to a simulated model on this machine: no login, no cost')
  .showHelpAfterError('(claude-agents --help shows what there is)')
  .exitOverride()
  .configureOutput({ outputError: () => {} })

/** Runs what a command does with the options that all commands take, once the file has been asked as well. */
const act = async (run: (globals: GlobalOptions) => Promise<void> | void) => {
  const { completeOptions } = await import('./global-options.ts')
  await run(await completeOptions(program.opts<GivenOptions>()))
}

type AgentCommands = typeof import('./agent-commands.ts')
const agents = (run: (commands: AgentCommands, globals: GlobalOptions) => Promise<void>) =>
  act(async (globals) => run(await import('./agent-commands.ts'), globals))

const agent = program.command('agent').description('create agents and work with them')
agent
  .command('create <id> <system-prompt>')
  .description('create an agent')
  .option('--tools <names>', 'tools that need no permission, with commas between them', list)
  .option('--max-turns <n>', 'the most turns of the model in one call', wholeNumber)
  .option('--model <name>', 'the model to use')
  .option('--timeout <seconds>', 'how long a task may take, retries included', wholeNumber)
  .option('--retries <n>', 'how often to try again after a failure that can pass', wholeNumber)
  .option(
    '--load-project-settings',
    'let settings, hooks and servers in its workspace count: they run commands',
  )
  .option('--dangerously-skip-permissions', 'let it do everything without asking: only in a container')
  .action((id, prompt, options) =>
    agents((commands, globals) => commands.create(globals, id, prompt, options)),
  )
agent
  .command('list')
  .description('list the agents')
  .action(() => agents((commands, globals) => commands.list(globals)))
agent
  .command('show <id>')
  .description('show the state of an agent')
  .action((id) => agents((commands, globals) => commands.show(globals, id)))
agent
  .command('sessions <id>')
  .description('show the session chain of an agent')
  .action((id) => agents((commands, globals) => commands.sessions(globals, id)))
agent
  .command('ask <id> <prompt>')
  .description('ask an agent; with - as the prompt, it is read from stdin')
  .option('--text <file>', 'add the text of a file to the prompt')
  .option('--file <src[:target]>', 'copy a file into the workspace first; may be repeated', mappings)
  .option('--folder <src[:target]>', 'copy a folder into the workspace first; may be repeated', mappings)
  .option('--repo <url[#ref]>', 'clone a repository into the workspace first; may be repeated', repos)
  .option(
    '--task-id <id>',
    'a name for the task: asked again under the same one, it answers without a new call',
  )
  .action((id, prompt, options) =>
    act(async (globals) => (await import('./ask-command.ts')).ask(globals, id, prompt, options)),
  )
agent
  .command('reset <id>')
  .description('begin a new session chain; the old one stays in the log')
  .action((id) => agents((commands, globals) => commands.reset(globals, id)))
agent
  .command('remove <id>')
  .description('remove an agent and its directories; its history stays in the log')
  .action((id) => agents((commands, globals) => commands.remove(globals, id)))

addWorkflowCommands(program, act)
program
  .command('recover')
  .description('go on with what a killed process left: fetch answers, ask again, and say what was done')
  .action(() => act(async (globals) => (await import('./recover-command.ts')).recover(globals)))
const log = program
  .command('log')
  .description('show what happened, in order; and look after the log itself')
  .option('--stream <name>', 'only this stream, as in agent/researcher')
  .option('--after <n>', 'only what came after this position (with --stream: version)', wholeNumber)
  .option('--limit <n>', 'at most so many', wholeNumber)
  .action((options) => act(async (globals) => (await import('./log-commands.ts')).log(globals, options)))
log
  .command('verify')
  .description('check every byte of the store, and say what is wrong with it; exit code 1 when anything is')
  .action(() => act(async (globals) => (await import('./verify-commands.ts')).verify(globals)))
log
  .command('repair')
  .description('make a new store of what can be saved of a damaged one, which stays as it is')
  .requiredOption('--to <dir>', 'where to make it: a directory that is empty or does not exist')
  .action((options) =>
    act(async (globals) => (await import('./verify-commands.ts')).repair(globals, options)),
  )
addArchiveCommands(log, act)
program
  .command('replay <stream>')
  .description('go through the history of a stream: each fact, and the state before and after it')
  .option('--to <version>', 'up to this version', wholeNumber)
  .action((stream, options) =>
    act(async (globals) => (await import('./log-commands.ts')).replay(globals, stream, options)),
  )
program
  .command('demo [topic]')
  .description('three agents research a topic, analyse it and write a report')
  .option('--live', 'use the real model and your login, instead of the simulated model')
  .option('--output <file>', 'where to write the report', 'research-report.md')
  .action((topic, options) =>
    act(async (globals) => (await import('./demo-command.ts')).demo(globals, topic, options)),
  )

try {
  await program.parseAsync()
} catch (error) {
  const json = process.argv.includes('--json')
  if (error instanceof CommanderError) {
    // Help and version end the same way, and are no failure.
    if (error.exitCode !== 0) {
      printFailure(
        {
          code: 'UsageError',
          message: error.message.replace(/^error: /, ''),
          hint: 'claude-agents --help shows what there is.',
        },
        json,
      )
    }
    process.exitCode = error.exitCode === 0 ? 0 : USAGE
  } else {
    await reportFailure(error, json)
  }
}
