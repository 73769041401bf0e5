/** The words of `inspect`; what it does is loaded when it is needed. */
import type { Command } from 'commander'
import { port } from '../arguments.ts'
import type { Act } from '../global-options.ts'

export function addInspectCommand(program: Command, act: Act): void {
  program
    .command('inspect')
    .description('look inside with a browser: a timeline, and the whole system at any moment of it')
    .option('--port <n>', 'where to listen on 127.0.0.1 (any free port unless told)', port)
    .option('--no-open', 'only print the address')
    .action((options) => act(async (globals) => (await import('./inspect.ts')).inspect(globals, options)))
}
