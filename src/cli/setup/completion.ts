/** `completion`: shell scripts that complete commands and options from the program itself, names from the store. */
import { Argument, type Command } from 'commander'
import { hasAgents, hasStore } from '../existing-store.ts'
import { completeOptions, type GivenOptions } from '../global-options.ts'
import { loadedCommand } from '../lazy-command.ts'
import { readStore } from '../session.ts'
import { asTyped } from '../terminal/own-name.ts'

export function completionCommand(command: Command): void {
  command
    .addArgument(new Argument('<shell>').choices(['bash', 'zsh', 'fish']))
    .description('print a script that completes commands, agents and runs in the shell')
    .addHelpText('after', () => asTyped(ENABLE))
    .action((shell: string) => void process.stdout.write(SCRIPTS[shell] ?? ''))
}

const ENABLE = `
Enable it, also where the command is installed in projects alone and started by npx:
  bash  claude-agents completion bash > ~/.claude-agents.bash
        echo 'source ~/.claude-agents.bash' >> ~/.bashrc
  zsh   claude-agents completion zsh > ~/.claude-agents.zsh
        echo 'source ~/.claude-agents.zsh' >> ~/.zshrc
  fish  claude-agents completion fish > ~/.config/fish/completions/claude-agents.fish`

/** What the scripts call: prints what the last of the words can become. */
export function completeCommand(command: Command): void {
  command
    .argument('[words...]')
    .allowUnknownOption()
    .helpOption(false)
    .action((words: string[]) => complete(command.parent ?? command, words))
}

/** The installation of the project, as npx finds it, and else the one on the PATH. */
const FOUND = `_claude_agents_found() {
  local folder=$PWD
  while [ -n "$folder" ] && [ ! -x "$folder/node_modules/.bin/claude-agents" ]; do folder=\${folder%/*}; done
  if [ -n "$folder" ]; then "$folder/node_modules/.bin/claude-agents" complete -- "$@"
  else command claude-agents complete -- "$@"; fi 2>/dev/null
}
`

/** Each passes the words up to the cursor, after `npx` too, and offers the lines that come back. */
const SCRIPTS: Readonly<Record<string, string>> = {
  bash: `${FOUND}_claude_agents() {
  local IFS=$'\\n' first=1
  if [ "\${COMP_WORDS[0]##*/}" = npx ]; then
    [ "\${COMP_WORDS[1]}" = claude-agents ] || return
    first=2
  fi
  COMPREPLY=($(_claude_agents_found "\${COMP_WORDS[@]:first:COMP_CWORD-first+1}"))
}
complete -o default -F _claude_agents claude-agents
complete -p npx >/dev/null 2>&1 || complete -o default -F _claude_agents npx
`,
  zsh: `#compdef claude-agents
${FOUND}_claude_agents() {
  local -a found
  local first=2
  if [[ \${words[1]:t} == npx ]]; then
    [[ \${words[2]} == claude-agents ]] || return 1
    first=3
  fi
  found=("\${(@f)$(_claude_agents_found "\${(@)words[first,CURRENT]}")}")
  compadd -a found
}
compdef _claude_agents claude-agents
(( \${+_comps[npx]} )) || compdef _claude_agents npx
`,
  fish: `function __claude_agents
    set -l words (commandline -opc) (commandline -ct)
    set -l first (contains -i -- claude-agents $words; or echo 1)
    set -l folder $PWD
    while test -n "$folder"; and not test -x "$folder/node_modules/.bin/claude-agents"
        set folder (string replace -r '/[^/]*$' '' -- $folder)
    end
    if test -n "$folder"
        $folder/node_modules/.bin/claude-agents complete -- $words[(math $first + 1)..-1] 2>/dev/null
    else
        claude-agents complete -- $words[(math $first + 1)..-1] 2>/dev/null
    end
end
complete -c claude-agents -f -a '(__claude_agents)'
complete -c npx -n '__fish_seen_subcommand_from claude-agents' -f -a '(__claude_agents)'
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

const KINDS: Readonly<Record<string, string>> = {
  ...{ agent: 'agent', agents: 'agent', run: 'run', stream: 'stream', words: 'agent' },
  ...{ target: 'agent or run', 'task-or-run': 'run' },
}

/** What an argument names, by how it is called. */
function kindOf(command: Command, argument: string): string {
  if (argument === 'id' && command.parent?.name() === 'agent' && command.name() !== 'create') return 'agent'
  return KINDS[argument] ?? ''
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
