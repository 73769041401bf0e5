/** The words of `agent held | approve | reject` and `dead-letters`; what they do is loaded when it is needed. */
import type { Command } from 'commander'
import type { Act, GlobalOptions } from '../global-options.ts'

type HeldCommands = typeof import('./commands.ts')

/** @param agent The command `agent`. */
export function addHeldCommands(agent: Command, act: Act): void {
  const held = (run: (commands: HeldCommands, globals: GlobalOptions) => Promise<void>) =>
    act(async (globals) => run(await import('./commands.ts'), globals))

  agent
    .command('held')
    .description('list the tasks that wait for approval, or for room in a budget')
    .option('--agent <id>', 'only those of this agent')
    .action((options) => held((commands, globals) => commands.held(globals, options)))
  agent
    .command('approve <task>')
    .description('let a task go on that waits for approval, and wait for its answer')
    .option('--agent <id>', 'whose task it is, where several have one of this id')
    .option('--by <name>', 'who approves it (you unless told)')
    .option('--no-wait', 'only approve it: it goes on with the next recover')
    .action((task, options) => held((commands, globals) => commands.approve(globals, task, options)))
  agent
    .command('reject <task>')
    .description('end a task that waits for approval')
    .option('--agent <id>', 'whose task it is, where several have one of this id')
    .option('--by <name>', 'who rejects it (you unless told)')
    .option('--reason <text>', 'why, for whoever asked')
    .action((task, options) => held((commands, globals) => commands.reject(globals, task, options)))
}

export function addDeadLetterCommand(program: Command, act: Act): void {
  program
    .command('dead-letters')
    .description('list the answers that came when their task had ended already')
    .option('--agent <id>', 'only those of this agent')
    .action((options) =>
      act(async (globals) => (await import('./dead-letters.ts')).deadLetters(globals, options)),
    )
}
