/** The command line as one program: its global options, and the commands by topic, each loaded when it is used. */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { nearestName } from '../events/nearest-name.ts'
import { LOG_LEVELS } from '../logger.ts'
import { packageVersion } from '../owner/version.ts'
import { assignments, pathText } from './arguments.ts'
import { addLazyCommand, commandNamed, type Definition, loadedCommand } from './lazy-command.ts'

type Commands = Readonly<Record<string, readonly [summary: string, definition: () => Promise<Definition>]>>

/** In the order of the help, under its headings. */
const TOPICS: Readonly<Record<string, Commands>> = {
  'Getting started': {
    init: ['write a configuration file', async () => (await import('./setup/init.ts')).initCommand],
    doctor: [
      'check the setup and explain how to fix problems',
      async () => (await import('./setup/doctor.ts')).doctorCommand,
    ],
    config: [
      'show and check the configuration',
      async () => (await import('./config/commands.ts')).configCommands,
    ],
    completion: [
      'print a shell completion script',
      async () => (await import('./setup/completion.ts')).completionCommand,
    ],
    demo: [
      'watch three agents research a topic and write a report',
      async () => (await import('./setup/demo.ts')).demoCommand,
    ],
  },
  Agents: {
    agent: [
      'create agents and work with them',
      async () => (await import('./agent/commands.ts')).agentCommands,
    ],
    apply: [
      'write what the configuration file declares to the log',
      async () => (await import('./agent/apply.ts')).applyCommand,
    ],
    message: [
      'send messages to agents, and see what became of them',
      async () => (await import('./message/commands.ts')).messageCommands,
    ],
    topic: [
      'choose which agents receive what is published on a topic',
      async () => (await import('./topic/commands.ts')).topicCommands,
    ],
    note: [
      'read and write the notes that agents share',
      async () => (await import('./note/commands.ts')).noteCommands,
    ],
    land: [
      'merge the work of agents into a branch, checked by a gate',
      async () => (await import('./land/commands.ts')).landCommand,
    ],
    interactive: [
      'start an interactive session: ask, inspect, run workflows',
      async () => (await import('./interactive/conversation.ts')).interactiveCommand(commandProgram),
    ],
    serve: [
      'run as a service: resume work, supervise, serve other commands',
      async () => (await import('./service/serve.ts')).serveCommand,
    ],
    worker: [
      'run a worker of a cluster: agents of a database live in it',
      async () => (await import('./cluster/commands.ts')).workerCommand,
    ],
    cluster: [
      'list the workers of a cluster, and drain one',
      async () => (await import('./cluster/commands.ts')).clusterCommands,
    ],
    mcp: [
      'serve the team to your own Claude, as an MCP server',
      async () => (await import('./mcp/commands.ts')).mcpCommand,
    ],
    recover: [
      'settle what a killed process left behind',
      async () => (await import('./service/recover.ts')).recoverCommand,
    ],
  },
  Workflows: {
    workflow: [
      'run agents together, in runs that survive crashes',
      async () => (await import('./workflow/commands.ts')).workflowCommands,
    ],
    fleet: [
      'give each task to an agent with a worktree of its own',
      async () => (await import('./fleet/fleet.ts')).fleetCommand,
    ],
    schedule: [
      'ask an agent or run a workflow at set times',
      async () => (await import('./schedule/commands.ts')).scheduleCommands,
    ],
  },
  Money: {
    budget: ['limit spending', async () => (await import('./budget/commands.ts')).budgetCommands],
    account: [
      'show the limits of accounts, and resume one that waits',
      async () => (await import('./account/commands.ts')).accountCommands,
    ],
    'late-answers': [
      'list answers that arrived after their task had ended',
      async () => (await import('./held/late-answers.ts')).lateAnswersCommand,
    ],
  },
  Monitoring: {
    inbox: [
      'list what waits for you, and decide it',
      async () => (await import('./inbox/commands.ts')).inboxCommands,
    ],
    tail: [
      'print the latest facts, then new ones as they are written',
      async () => (await import('./live/tail.ts')).tailCommand,
    ],
    attach: ['watch an agent, a task or a run', async () => (await import('./live/attach.ts')).attachCommand],
    wait: [
      'wait for a task or a run, and print what it came to',
      async () => (await import('./live/attach.ts')).waitCommand,
    ],
    top: [
      'watch what agents are doing, what is waiting and what it costs',
      async () => (await import('./live/top.ts')).topCommand,
    ],
    metrics: [
      'print metrics in the Prometheus text format',
      async () => (await import('./live/metrics.ts')).metricsCommand,
    ],
    ps: ['list the processes of running calls', async () => (await import('./live/processes.ts')).psCommand],
    notify: [
      'test the receivers of notifications',
      async () => (await import('./notify/commands.ts')).notifyCommands,
    ],
    inspect: ['open the web inspector', async () => (await import('./live/inspect.ts')).inspectCommand],
  },
  History: {
    log: [
      'print the log; verify, back up, move or repair it',
      async () => (await import('./log/commands.ts')).logCommands,
    ],
    state: ['show a state, current or past', async () => (await import('./history/state.ts')).stateCommand],
    diff: ['compare two states', async () => (await import('./history/diff.ts')).diffCommand],
    replay: [
      'replay a history fact by fact, or verify it',
      async () => (await import('./history/replay.ts')).replayCommand,
    ],
    why: ['explain what led to a fact', async () => (await import('./history/why.ts')).whyCommand],
    fork: [
      'branch off an agent or a run at a point in its past',
      async () => (await import('./history/fork.ts')).forkCommand,
    ],
    rerun: ['ask a past task again', async () => (await import('./history/rerun.ts')).rerunCommand],
    stats: [
      'show tasks, failures, durations, tokens and cost',
      async () => (await import('./history/stats.ts')).statsCommand,
    ],
  },
}

/** What people type first, from other programs. */
const OTHER_WORDS: Commands = {
  ls: ['list agents', async () => (await import('./agent/commands.ts')).listCommand],
  status: [
    'what agents are doing, what is waiting and what it costs',
    async () => (await import('./live/top.ts')).statusCommand,
  ],
  version: [
    'print the version',
    async () => (command) => void command.action(() => printVersion(command.parent ?? command)),
  ],
}

export function commandProgram(): Command {
  const program = new Command('claude-agents')
    .description('Teams of Claude agents that survive crashes: durable, supervised, replayable.')
    .option('-v, --version', 'print the version')
    .addOption(new Option('-V').hideHelp())
    .on('option:version', () => printVersion(program))
    .on('option:V', () => printVersion(program))
    .helpOption('-h, --help', 'show this help')
    .helpCommand(false)
    .option(
      '--base-dir <dir>',
      'directory of the log and the agents (default: .claude-agents; env: CLAUDE_AGENTS_BASE_DIR)',
      pathText,
    )
    .option(
      '--database <url>',
      'PostgreSQL that has the log, without the password (env: CLAUDE_AGENTS_DATABASE, PGPASSWORD)',
    )
    .option(
      '--config <file>',
      'configuration file (default: claude-agents.yaml here or in a parent directory)',
      pathText,
    )
    .option(
      '--set <key=value>',
      'override a setting, such as orchestrator.max_agents=20 (repeatable)',
      assignments,
    )
    .option('--json', 'print JSON: one object, or one per line for lists (help stays text)')
    .option('--no-color', 'print without colours (also: NO_COLOR)')
    .addOption(
      new Option(
        '--log-level <level>',
        `log level on stderr: ${LOG_LEVELS.join(', ')} (default: warn; env: CLAUDE_AGENTS_LOG_LEVEL)`,
      ).argParser(logLevel),
    )
    .option('--claude <path>', 'path of the claude program')
    .option('--simulate', 'use a simulated model on this machine: no login, no cost')
    .configureHelp({ subcommandTerm })
    .exitOverride()
    .configureOutput({
      outputError: () => {},
      // The help of a command that lacks a subcommand.
      writeErr: (text) => void (program.opts<{ json?: boolean }>().json || process.stderr.write(text)),
    })
    .hook('preSubcommand', async (_, command) => void (await loadedCommand(command)))
  for (const [topic, commands] of Object.entries(TOPICS)) {
    program.commandsGroup(`${topic}:`)
    for (const [name, [summary, definition]] of Object.entries(commands))
      addLazyCommand(program, name, summary, definition)
  }
  for (const [name, [summary, definition]] of Object.entries(OTHER_WORDS))
    addLazyCommand(program, name, summary, definition, { hidden: true })
  addLazyCommand(
    program,
    'complete',
    'print what the last word can become, for the completion scripts',
    async () => (await import('./setup/completion.ts')).completeCommand,
    { hidden: true },
  )
  program
    .command('help', { hidden: true })
    .argument('[command...]')
    .description('show help for a command')
    .action((words: string[]) => showHelp(program, words))
  return program
}

/** The program with everything that its commands take, for the reference of all commands. */
export async function completeProgram(): Promise<Command> {
  const program = commandProgram()
  for (const command of program.commands) await loadedCommand(command)
  return program
}

/** `create <id> <system-prompt>`; a command that is not loaded has a name only. */
const subcommandTerm = (command: Command) =>
  `${command.name()} ${command.usage().replace(/\[options\] ?|\[command\]/g, '')}`.trim()

/** Before the other words are parsed, so they are looked at as they were typed. */
function printVersion(program: Command): never {
  const version = packageVersion()
  const isJson = (program as Command & { readonly rawArgs: readonly string[] }).rawArgs.includes('--json')
  process.stdout.write(`${isJson ? JSON.stringify({ version }) : version}\n`)
  throw new CommanderError(0, 'commander.version', version)
}

function logLevel(text: string): string {
  const level = text.toLowerCase()
  if ((LOG_LEVELS as readonly string[]).includes(level)) return level
  throw new InvalidArgumentError(`Use one of ${LOG_LEVELS.join(', ')}.`)
}

async function showHelp(program: Command, words: readonly string[]): Promise<void> {
  const { command, names } = await commandNamed(program, words)
  const unknown = words.find((word) => !names.includes(word))
  if (unknown !== undefined) {
    const known = command.commands.flatMap((one) => [one.name(), ...one.aliases()])
    const nearest = nearestName(unknown, known)
    const meant = nearest === null ? '' : ` (Did you mean ${nearest}?)`
    program.error(`error: unknown command '${unknown}'${meant}`, { code: 'commander.unknownCommand' })
  }
  command.outputHelp()
}

/** What to type for help with the command that was meant: `claude-agents agent ask --help`. */
export async function helpHint(words: readonly string[]): Promise<string> {
  const { names } = await commandNamed(commandProgram(), words)
  return ['claude-agents', ...names, '--help'].join(' ')
}

/**
 * The command that was meant by a word in the wrong place: `agent ask` for `ask`, `claude-agents why` for `log why`. null if
 * there is none.
 *
 * @param word null for the one after those that name a command.
 */
export async function commandWith(word: string | null, words: readonly string[]): Promise<string | null> {
  const program = commandProgram()
  const { names } = await commandNamed(program, words)
  const [first] = names
  const given = word ?? words[words.indexOf(names.at(-1) ?? '') + 1] ?? ''
  if (first !== undefined && words.indexOf(first) < words.indexOf(given))
    return (await commandNamed(program, [given])).names.length === 1 ? `claude-agents ${given}` : null
  for (const outer of ['agent', 'workflow', 'log']) {
    const { names } = await commandNamed(program, [outer, given])
    if (names.length === 2) return names.join(' ')
  }
  return null
}

/** Arguments that are texts of several words. */
const TEXTS = new Set(['prompt', 'system-prompt', 'input', 'text', 'topic'])

/** Whether the command that was meant takes a text, which may have been given without quotes. */
export async function takesText(words: readonly string[]): Promise<boolean> {
  const { command } = await commandNamed(commandProgram(), words)
  return command.registeredArguments.some((argument) => TEXTS.has(argument.name()))
}

/** The option among the words that takes all that follow it; null if there is none. */
export async function takesTheRest(words: readonly string[]): Promise<string | null> {
  const { command } = await commandNamed(commandProgram(), words)
  return command.options.find(({ variadic, long }) => variadic && words.includes(long ?? ''))?.long ?? null
}
