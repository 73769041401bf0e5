/** The words of `tail`, `top` and `metrics`; what they do is loaded when it is needed. */
import type { Command } from 'commander'
import { count, list, wholeNumber } from '../arguments.ts'
import type { Act } from '../global-options.ts'
import type { TailOptions } from './tail.ts'
import type { TopOptions } from './top.ts'

export function addLiveCommands(program: Command, act: Act): void {
  program
    .command('tail')
    .description('show the last facts, and then each one as it is written, whichever process writes it')
    .option('--stream <name>', 'only this stream, as in agent/researcher')
    .option('--agent <id>', 'only this agent')
    .option('--type <types>', 'only facts of these types, with commas between them', list)
    .option('--after <position>', 'begin after this position, instead of with the last lines', wholeNumber)
    .option('-n, --lines <n>', 'how many of the last facts to begin with', wholeNumber, 10)
    .option('--no-follow', 'end when all that was written is shown')
    .action((options: TailOptions) =>
      act(async (globals) => (await import('./tail.ts')).tail(globals, options)),
    )
  program
    .command('top')
    .description('show what the agents are doing, what waits and what it has cost, again and again')
    .option('--once', 'show it once, as is done where nobody watches')
    .option('--interval <seconds>', 'how often to look', count, 1)
    .action((options: TopOptions) => act(async (globals) => (await import('./top.ts')).top(globals, options)))
  program
    .command('metrics')
    .description('print counters and gauges in the text format of Prometheus')
    .action(() => act(async (globals) => (await import('./metrics.ts')).metrics(globals)))
}
