/** Writes the list of all commands and options into docs/user-guide.md, out of the command line's own words. */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { runnerImport } from 'vite'

const root = fileURLToPath(new URL('..', import.meta.url))
const PAGE = `${root}docs/user-guide.md`
// The built command is a bundle: its words are taken from their source.
const { commandProgram } = (await runnerImport(`${root}src/cli/program.ts`, { configFile: false })).module

const TOPICS = [
  ['To begin with', ['init', 'doctor', 'config', 'completion', 'demo']],
  ['Agents', ['agent', 'interactive', 'serve', 'recover']],
  ['Workflows', ['workflow']],
  ['Money', ['budget', 'dead-letters']],
  ['What goes on', ['tail', 'top', 'metrics', 'ps', 'inspect']],
  ['The past', ['log', 'state', 'diff', 'replay', 'why', 'fork', 'rerun', 'stats']],
]

/** The page with the list as it should be. */
export function withCommands(page) {
  const [before, rest = ''] = page.split('<!-- commands -->\n')
  const after = rest.split('<!-- end of commands -->')[1]
  if (after === undefined) throw new Error(`${PAGE} has no place for the commands`)
  return `${before}<!-- commands -->\n${commandReference()}<!-- end of commands -->${after}`
}

function commandReference() {
  const program = commandProgram()
  const commands = new Map(visible(program).map((command) => [command.name(), command]))
  const topics = TOPICS.map(([title, names]) => {
    const lines = names.flatMap((name) => {
      const command = commands.get(name)
      commands.delete(name)
      if (!command) throw new Error(`There is no command ${name}: scripts/command-reference.mjs`)
      return linesOf(command, '')
    })
    return `### ${title}\n\n${lines.join('\n')}\n`
  })
  if (commands.size > 0)
    throw new Error(`No topic of scripts/command-reference.mjs has: ${[...commands.keys()].join(', ')}`)
  const globals = optionsOf(program, '').join('\n')
  return `All commands take these, before or after their own words:\n\n${globals}\n\n${topics.join('\n')}`
}

const visible = (command) => command.commands.filter((each) => !each._hidden && each.name() !== 'help')

/** A command with its options, and those below it. */
function linesOf(command, prefix) {
  const name = `${prefix}${command.name()}`
  const children = visible(command)
  const isOnlyAGroup = children.length > 0 && !command._actionHandler
  const usage = command
    .usage()
    .replace(/\[options\] ?|\[command\]/g, '')
    .trim()
  const own = isOnlyAGroup
    ? []
    : [`- **\`${[name, usage].join(' ').trim()}\`**: ${command.description()}`, ...optionsOf(command, '  ')]
  return [...own, ...children.flatMap((child) => linesOf(child, `${name} `))]
}

const optionsOf = (command, indent) =>
  command.options
    .filter(({ hidden, long }) => !hidden && long !== '--version')
    .map(({ flags, description, argChoices, defaultValue }) => {
      const choices = argChoices ? ` (${argChoices.map((choice) => `\`${choice}\``).join(', ')})` : ''
      const isTold = defaultValue !== undefined && typeof defaultValue !== 'boolean'
      return `${indent}- \`${flags}\`: ${description}${choices}${isTold ? `; unless told: ${defaultValue}` : ''}`
    })

if (process.argv[1] === fileURLToPath(import.meta.url))
  writeFileSync(PAGE, withCommands(readFileSync(PAGE, 'utf8')))
