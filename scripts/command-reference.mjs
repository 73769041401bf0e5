/** Writes the reference of all commands and options in docs/user-guide.md from the help texts of the command line. */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { runnerImport } from 'vite'

const root = fileURLToPath(new URL('..', import.meta.url))
const PAGE = `${root}docs/user-guide.md`

/** Returns the page with the reference of these commands. */
export function withCommands(page, program) {
  const [before, rest = ''] = page.split('<!-- commands -->\n')
  const after = rest.split('<!-- end of commands -->')[1]
  if (after === undefined) throw new Error(`${PAGE} lacks the markers around the commands`)
  return `${before}<!-- commands -->\n${commandReference(program)}<!-- end of commands -->${after}`
}

function commandReference(program) {
  const groups = new Map()
  for (const command of visible(program))
    groups.set(command.helpGroup(), [...(groups.get(command.helpGroup()) ?? []), ...linesOf(command, '')])
  const topics = [...groups].map(
    ([group, lines]) => `### ${group.replace(/:$/, '')}\n\n${lines.join('\n')}\n`,
  )
  const globals = optionsOf(program, '').join('\n')
  return `Every command takes these options, before or after its own:\n\n${globals}\n\n${topics.join('\n')}`
}

const visible = (command) => command.commands.filter((each) => !each._hidden && each.name() !== 'help')

/** A command with its options and subcommands. */
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
      const hasDefault = defaultValue !== undefined && typeof defaultValue !== 'boolean'
      return `${indent}- \`${flags}\`: ${description}${choices}${hasDefault ? ` (default: ${defaultValue})` : ''}`
    })

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  // The built command is a bundle, so the help texts come from the source, compiled because Node 20 lacks `using`.
  const { program } = (
    await runnerImport(`${root}scripts/program.ts`, {
      configFile: false,
      logLevel: 'error',
      oxc: { target: 'node20' },
    })
  ).module
  writeFileSync(PAGE, withCommands(readFileSync(PAGE, 'utf8'), program))
}
