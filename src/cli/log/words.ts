/** The words of `log`, `log verify`, and `log repair`; what they do is loaded when it is needed. */
import type { Command } from 'commander'
import { wholeNumber } from '../arguments.ts'
import type { Act } from '../global-options.ts'
import { addArchiveCommands } from './archive-words.ts'

export function addLogCommands(program: Command, act: Act): void {
  const log = program
    .command('log')
    .description('show what happened, in order; and look after the log itself')
    .option('--stream <name>', 'only this stream, as in agent/researcher')
    .option('--after <n>', 'only what came after this position (with --stream: version)', wholeNumber)
    .option('--limit <n>', 'at most so many', wholeNumber)
    .action((options) => act(async (globals) => (await import('./commands.ts')).log(globals, options)))
  log
    .command('verify')
    .description('check every byte of the store, and say what is wrong with it; exit code 1 when anything is')
    .action(() => act(async (globals) => (await import('./care.ts')).verify(globals)))
  log
    .command('repair')
    .description('make a new store of what can be saved of a damaged one, which stays as it is')
    .requiredOption('--to <dir>', 'where to make it: a directory that is empty or does not exist')
    .action((options) => act(async (globals) => (await import('./care.ts')).repair(globals, options)))
  addArchiveCommands(log, act)
}
