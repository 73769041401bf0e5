/** The word `ps`; what it does is loaded when it is needed. */
import type { Command } from 'commander'
import type { Act } from '../global-options.ts'

export function addProcessCommands(program: Command, act: Act): void {
  program
    .command('ps')
    .description('list the processes of calls that run, and whether the log knows them')
    .action(() => act(async (globals) => (await import('./processes.ts')).processes(globals)))
}
