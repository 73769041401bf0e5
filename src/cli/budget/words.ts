/** The words of `budget show | list | set`; what they do is loaded when it is needed. */
import { type Command, InvalidArgumentError, Option } from 'commander'
import type { Act, GlobalOptions } from '../global-options.ts'

type BudgetCommands = typeof import('./commands.ts')

export function addBudgetCommands(program: Command, act: Act): void {
  const budgets = (run: (commands: BudgetCommands, globals: GlobalOptions) => Promise<void>) =>
    act(async (globals) => run(await import('./commands.ts'), globals))

  const budget = program.command('budget').description('limit what may be spent')
  withScope(budget.command('show'))
    .description('show what may be spent and what was: by all, by an agent, or by a run')
    .action((options) => budgets((commands, globals) => commands.show(globals, options)))
  budget
    .command('list')
    .description('list the budgets that are set')
    .action(() => budgets((commands, globals) => commands.list(globals)))
  withScope(budget.command('set'))
    .description('set the most that may be spent in all; tasks that were held and fit now go on')
    .option('--usd <n>', 'dollars; none takes the limit away', dollars)
    .option('--tokens <n>', 'tokens in and out; none takes the limit away', tokens)
    .option('--no-wait', 'only set it: what was held goes on with the next recover')
    .action((options) => budgets((commands, globals) => commands.set(globals, options)))
}

const withScope = (command: Command) =>
  command
    .addOption(new Option('--agent <id>', 'of this agent and its copies, not of everything').conflicts('run'))
    .option('--run <id>', 'of this run, not of everything')

/** null: no limit. */
const dollars = (text: string) => {
  if (text === 'none') return null
  if (/^\d{1,9}(\.\d{1,9})?$/.test(text)) return Number(text)
  throw new InvalidArgumentError('It must be an amount such as 3 or 2.50, or none.')
}

const tokens = (text: string) => {
  if (text === 'none') return null
  if (/^\d{1,15}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('It must be a whole number, or none.')
}
