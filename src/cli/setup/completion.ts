/** `completion`: shell scripts that complete commands and options from the program itself, names from the store. */
import { Argument, type Command } from 'commander'
import { hasAgents, hasStore } from '../existing-store.ts'
import { completeOptions, type GivenOptions } from '../global-options.ts'
import { loadedCommand } from '../lazy-command.ts'
import { readStore } from '../session.ts'

export function completionCommand(command: Command): void {
  command
    .addArgument(new Argument('<shell>').choices(['bash', 'zsh', 'fish']))
    .description('print a script that completes commands, agents and runs in the shell')
    .addHelpText(
      'after',
      `
Enable it:
  bash  echo 'source <(claude-agents completion bash)' >> ~/.bashrc
  zsh   echo 'source <(claude-agents completion zsh)' >> ~/.zshrc
  fish  claude-agents completion fish > ~/.config/fish/completions/claude-agents.fish`,
    )
    .action((shell: string) => void process.stdout.write(SCRIPTS[shell] ?? ''))
}

/** What the scripts call: prints what the last of the words can become. */
export function completeCommand(command: Command): void {
  command
    .argument('[words...]')
    .allowUnknownOption()
    .helpOption(false)
    .action((words: string[]) => complete(command.parent ?? command, words))
}

/** Each passes the words up to the cursor, and offers the lines that come back. */
const SCRIPTS: Readonly<Record<string, string>> = {
  bash: `_claude_agents() {
  local IFS=$'\\n'
  COMPREPLY=($(claude-agents complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _claude_agents claude-agents
`,
  zsh: `#compdef claude-agents
_claude_agents() {
  local -a found
  found=("\${(@f)$(claude-agents complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  compadd -a found
}
compdef _claude_agents claude-agents
`,
  fish: `function __claude_agents
    set -l words (commandline -opc) (commandline -ct)
    claude-agents complete -- $words[2..-1] 2>/dev/null
end
complete -c claude-agents -f -a '(__claude_agents)'
`,
}

/** Silent when anything goes wrong: a completion is no place for an error. */
async function complete(program: Command, words: readonly string[]): Promise<void> {
  try {
    const last = words.at(-1) ?? ''
    const found = new Set(await candidates(program, words))
    for (const word of found) if (word.startsWith(last)) process.stdout.write(`${word}\n`)
  } catch {}
}

/** Everything that the last of the words can become. */
export async function candidates(program: Command, words: readonly string[]): Promise<readonly string[]> {
  let command = program
  let places = 0
  const before = words.slice(0, -1)
  // Options of the completed line say where to look for names.
  const given: Record<string, string> = {}
  for (let index = 0; index < before.length; index += 1) {
    const word = before[index] ?? ''
    if (word.startsWith('-')) {
      if (!takesValue(command, program, word)) continue
      index += 1
      given[optionNamed(command, program, word)?.attributeName() ?? ''] = before[index] ?? ''
      continue
    }
    const inner = command.commands.find((one) => one.name() === word)
    if (inner) command = await loadedCommand(inner)
    else places += 1
  }
  const last = words.at(-1) ?? ''
  const previous = before.at(-1) ?? ''
  if (previous.startsWith('-') && takesValue(command, program, previous)) {
    const option = optionNamed(command, program, previous)
    return (
      option?.argChoices ??
      (option?.long === '--stream' ? names({ ...program.opts<GivenOptions>(), ...given }, 'stream') : [])
    )
  }
  if (last.startsWith('-'))
    return [...command.options, ...program.options].flatMap(({ long, hidden }) =>
      long && !hidden ? [long] : [],
    )
  if (command.commands.length > 0)
    return command.commands.filter((one) => !isHidden(one)).map((one) => one.name())
  const argument = command.registeredArguments[places] ?? command.registeredArguments.at(-1)
  if (argument?.argChoices) return argument.argChoices
  return names({ ...program.opts<GivenOptions>(), ...given }, kindOf(command, argument?.name() ?? ''))
}

const isHidden = (command: Command) => (command as unknown as { _hidden?: boolean })._hidden === true

const optionNamed = (command: Command, program: Command, word: string) =>
  [...command.options, ...program.options].find(({ long, short }) => long === word || short === word)

const takesValue = (command: Command, program: Command, word: string) =>
  optionNamed(command, program, word)?.required === true

/** What an argument names, by how it is called. */
function kindOf(command: Command, argument: string): string {
  if (argument === 'id' && command.parent?.name() === 'agent' && command.name() !== 'create') return 'agent'
  return { agent: 'agent', agents: 'agent', run: 'run', stream: 'stream', words: 'agent' }[argument] ?? ''
}

async function names(given: GivenOptions, kind: string): Promise<readonly string[]> {
  if (kind === '') return []
  const globals = await completeOptions(given, { untrusted: 'load' })
  const declared = (globals.config.agents ?? []).map(({ id }) => id)
  if (!hasAgents(globals)) return []
  if (!hasStore(globals) || globals.config.untrusted) return kind === 'agent' ? declared : []
  let found: readonly string[] = []
  // A completion changes nothing, not even a log file.
  const { logFile: _, ...config } = globals.config
  const quiet = { ...globals, config, json: true, logLevel: 'silent' }
  await readStore(quiet, async ({ orchestrator }) => {
    const agents = kind === 'run' ? [] : (await orchestrator.agents()).map(({ id }) => id)
    const runs = kind === 'agent' ? [] : (await orchestrator.runs.list()).map(({ runId }) => runId)
    found =
      kind === 'stream'
        ? [...agents.map((id) => `agent/${id}`), ...runs.map((id) => `run/${id}`)]
        : [...agents, ...runs]
  })
  return [...new Set([...found, ...(kind === 'agent' ? declared : [])])]
}
