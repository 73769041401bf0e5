/** All the words of the command line, as one program; what they do is loaded when it is needed, so that help is instant. */
import { readFileSync } from 'node:fs'
import { Command, InvalidArgumentError, Option } from 'commander'
import { addAgentCommands } from './agent/words.ts'
import { assignments, wholeNumber } from './arguments.ts'
import { addBudgetCommands } from './budget/words.ts'
import { addConfigCommands } from './config/words.ts'
import type { Act, GivenOptions } from './global-options.ts'
import { addDeadLetterCommand } from './held/words.ts'
import { addHistoryCommands } from './history/words.ts'
import { addInspectCommand } from './live/inspect-words.ts'
import { addProcessCommands } from './live/process-words.ts'
import { addLiveCommands } from './live/words.ts'
import { addLogCommands } from './log/words.ts'
import { LOG_LEVELS } from './logger.ts'
import { addSetupCommands } from './setup/words.ts'
import { addWorkflowCommands } from './workflow/words.ts'

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string
}

const logLevel = (text: string) => {
  const level = text.toLowerCase()
  if ((LOG_LEVELS as readonly string[]).includes(level)) return level
  throw new InvalidArgumentError(`Use one of ${LOG_LEVELS.join(', ')}.`)
}

export function commandProgram(): Command {
  const program = new Command('claude-agents')
    .description('Teams of Claude agents that survive crashes: durable, supervised, replayable.')
    .version(version)
    .option(
      '--base-dir <dir>',
      'where the log and the agents live (.claude-agents unless told; CLAUDE_AGENTS_BASE_DIR)',
    )
    .option('--config <file>', 'the configuration file (claude-agents.yaml here or above, unless told)')
    .option(
      '--set <key=value>',
      'a value of the configuration, as in orchestrator.max_agents=20; may be repeated',
      assignments,
    )
    .option('--json', 'print JSON: one object, or one a line for lists')
    .option('--no-color', 'print without colours (as does NO_COLOR)')
    .addOption(
      new Option(
        '--log-level <level>',
        `what to log on stderr: ${LOG_LEVELS.join(', ')} (warn unless told; CLAUDE_AGENTS_LOG_LEVEL)`,
      ).argParser(logLevel),
    )
    .option('--claude <path>', 'the claude command to use')
    .option('--simulate', 'let claude talk to a simulated model on this machine: no login, no cost')
    .exitOverride()
    .configureOutput({ outputError: () => {} })

  /** Runs what a command does with the options that all commands take, once the file has been asked as well. */
  const act: Act = async (run) => {
    const { completeOptions } = await import('./global-options.ts')
    await run(await completeOptions(program.opts<GivenOptions>()))
  }

  addAgentCommands(program, act)
  addWorkflowCommands(program, act)
  addLogCommands(program, act)
  addLiveCommands(program, act)
  addHistoryCommands(program, act)
  addConfigCommands(program, act)
  addSetupCommands(program)
  addProcessCommands(program, act)
  addBudgetCommands(program, act)
  addDeadLetterCommand(program, act)
  addInspectCommand(program, act)
  program
    .command('serve')
    .description(
      'keep the store open: go on with what there is, supervise, and do what other commands ask for',
    )
    .option(
      '--finish-within <seconds>',
      'how long work may go on when it is told to end (25 unless told)',
      wholeNumber,
    )
    .action((options) => act(async (globals) => (await import('./service/serve.ts')).serve(globals, options)))
  program
    .command('interactive')
    .description('a prompt that stays: ask, look, and run workflows, with history and completion')
    .action(() =>
      act(async (globals) =>
        (await import('./interactive/conversation.ts')).interactive(globals, commandProgram),
      ),
    )
  program
    .command('recover')
    .description('go on with what a killed process left: fetch answers, ask again, and say what was done')
    .action(() => act(async (globals) => (await import('./service/recover.ts')).recover(globals)))
  program
    .command('demo [topic]')
    .description('three agents research a topic, analyse it and write a report')
    .option('--live', 'use the real model and your login, instead of the simulated model')
    .option('--output <file>', 'where to write the report', 'research-report.md')
    .action((topic, options) =>
      act(async (globals) => (await import('./setup/demo.ts')).demo(globals, topic, options)),
    )
  return program
}

/** What shows how the command that is meant is used: `claude-agents agent ask --help`. */
export function helpWords(words: readonly string[]): string {
  let command = commandProgram()
  const names = [command.name()]
  for (const word of words) {
    const next = command.commands.find((candidate) => candidate.name() === word)
    if (!next) continue
    command = next
    names.push(word)
  }
  return `${names.join(' ')} --help`
}
