/** Commands whose arguments, options and actions are loaded when they are used, so that `--help` loads none of them. */
import type { Command } from 'commander'

/** Adds to a command its description, arguments, options, subcommands and action. */
export type Definition = (command: Command) => void

const definitions = new WeakMap<Command, () => Promise<Definition>>()

/** Adds a command that is known by its name and a line of help until it is used. */
export function addLazyCommand(
  program: Command,
  name: string,
  summary: string,
  definition: () => Promise<Definition>,
  options: { readonly hidden?: boolean } = {},
): void {
  definitions.set(program.command(name, options).description(summary), definition)
}

/** The command with everything that belongs to it. */
export async function loadedCommand(command: Command): Promise<Command> {
  const load = definitions.get(command)
  definitions.delete(command)
  if (load) (await load())(command)
  return command
}

/** The innermost command that these words name, and how many of them it took. */
export async function commandNamed(
  program: Command,
  words: readonly string[],
): Promise<{ readonly command: Command; readonly names: readonly string[] }> {
  let command = program
  const names: string[] = []
  for (const word of words) {
    const next = command.commands.find(
      (candidate) => candidate.name() === word || candidate.aliases().includes(word),
    )
    if (!next) continue
    command = await loadedCommand(next)
    names.push(word)
  }
  return { command, names }
}
