/** `budget show | list | set`: what may be spent, by everything, an agent or a run. */

import { type Command, InvalidArgumentError, Option } from 'commander'
import type { BudgetInfo, BudgetScope } from '../../actors/admission/budget-scope.ts'
import { RunNotFoundError } from '../../events/errors/run.ts'
import { InvalidInputError } from '../../events/errors/usage.ts'
import { dollars, plural } from '../../events/figures.ts'
import { defined } from '../../events/json.ts'
import { userName } from '../../inbox/user-name.ts'
import { hasStore, requireAgents } from '../existing-store.ts'
import { type GlobalOptions, withGlobals } from '../global-options.ts'
import { resumeHeld } from '../held/commands.ts'
import { readStore, withSession } from '../session.ts'
import { list } from '../terminal/list.ts'
import { details } from '../terminal/table.ts'
import { inert } from '../terminal/text.ts'

export function budgetCommands(budget: Command): void {
  withScope(budget.command('show'))
    .description('show a budget and what was spent: in all, by an agent, or by a run')
    .action(withGlobals(show))
  budget.command('list').alias('ls').description('list budgets').action(withGlobals(listBudgets))
  withScope(budget.command('set'))
    .description('set a budget, and resume held tasks that fit into it')
    .option('--usd <n>', 'limit in dollars, or none', dollarLimit)
    .option('--tokens <n>', 'limit in tokens, in and out, or none', tokenLimit)
    .option('--no-wait', 'only set it; recover resumes held tasks')
    .action(withGlobals(set))
}

const withScope = (command: Command) =>
  command
    .addOption(
      new Option('--agent <id>', 'of this agent and its copies in pools, not of everything').conflicts('run'),
    )
    .option('--run <id>', 'of this run, not of everything')

type Limit = number | 'none'

const dollarLimit = (text: string): Limit => {
  if (text === 'none') return text
  if (/^\d{1,9}(\.\d{1,9})?$/.test(text)) return Number(text)
  throw new InvalidArgumentError('It must be an amount such as 3 or 2.50, or none.')
}

const tokenLimit = (text: string): Limit => {
  if (text === 'none') return text
  if (/^\d{1,15}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('It must be a whole number, or none.')
}

function show(globals: GlobalOptions, scope: BudgetScope) {
  return readStore(globals, async ({ orchestrator, terminal }) => {
    const info = await orchestrator.budgets.show(scopeOf(scope))
    if (terminal.json) return terminal.value(info)
    const { limit, spent, reserved } = info
    const left = leftOf(info).filter((part) => part !== null)
    const pairs = [
      ['budget of', scopeName(info.scope)],
      ['limit', amounts(limit)],
      ['spent', amounts(spent)],
      ['reserved', amounts(reserved)],
      ['left', left.join(', ') || 'no limit'],
    ] as const
    for (const line of details(terminal, pairs)) terminal.line(line)
  })
}

function listBudgets(globals: GlobalOptions) {
  return readStore(globals, async ({ orchestrator, terminal }) => {
    const none = 'No budgets yet. Set one: claude-agents budget set --usd N'
    list(terminal, await orchestrator.budgets.list(), none, (budgets) => budgets.map(budgetLine))
  })
}

interface SetOptions extends BudgetScope {
  readonly usd?: Limit
  readonly tokens?: Limit
  readonly wait: boolean
}

function set(globals: GlobalOptions, { usd, tokens, wait, ...scope }: SetOptions) {
  if (usd === undefined && tokens === undefined) {
    const hint = 'As in: claude-agents budget set --usd 3'
    throw new InvalidInputError({ what: 'The budget', problem: 'neither --usd nor --tokens is given', hint })
  }
  // Without a store there is neither, and none is made to find that out.
  if (scope.agent !== undefined) requireAgents(globals, scope.agent)
  if (scope.run !== undefined && !hasStore(globals)) throw new RunNotFoundError({ runId: scope.run })
  return withSession(
    globals,
    async (session) => {
      const { orchestrator, terminal, owner } = session
      const budget = defined({ usd: limitOf(usd), tokens: limitOf(tokens) })
      const person = defined({ by: userName() || undefined })
      // Before it is set: workers resume them at once.
      const [listed] = await Promise.allSettled([orchestrator.held.list()])
      const info = await orchestrator.budgets.set(budget, scopeOf(scope), person)
      if (terminal.json) terminal.value(info)
      else terminal.line(budgetLine(info))
      if (listed.status === 'rejected') throw listed.reason
      const held = listed.value.filter(({ reason }) => reason === 'budget')
      // Another process that has the store open resumes them itself.
      if (held.length === 0 || owner !== null) return
      if (wait) await resumeHeld(session, held)
      else terminal.note(`${plural(held.length, 'held task')}: claude-agents recover resumes what fits now`)
    },
    'change',
  )
}

/** Here and not in the parser: commander takes null for an option without a value. */
const limitOf = (limit: Limit | undefined) => (limit === 'none' ? null : limit)

/** Only the options that are a scope, of all that were given. */
const scopeOf = ({ agent, run }: BudgetScope): BudgetScope => defined({ agent, run })

const scopeName = ({ agent, run }: BudgetScope) =>
  agent !== undefined ? `agent ${agent}` : run !== undefined ? `run ${run}` : 'everything'

/** `agent writer: $2.50 of $3.00 spent, $0.50 left` */
export function budgetLine(info: BudgetInfo): string {
  const { scope, limit, spent } = info
  const [usd, tokens] = leftOf(info).map((rest) =>
    rest?.startsWith(OVERSPENT) ? rest : rest && `${rest} left`,
  )
  const parts = [
    limit.usd === null ? null : `${dollars(spent.usd)} of ${dollars(limit.usd)} spent, ${usd}`,
    limit.tokens === null ? null : `${spent.tokens} of ${limit.tokens} tokens used, ${tokens}`,
  ].filter((part) => part !== null)
  return inert(`${scopeName(scope)}: ${parts.join('; ') || 'no limit'}`)
}

const OVERSPENT = 'overspent by'

/** What is left of the dollars and of the tokens, as `$0.50`, `nothing` or `overspent by 12 tokens`; null where there is no limit. */
function leftOf({ limit, spent, remaining }: BudgetInfo): readonly (string | null)[] {
  const left = (of: 'usd' | 'tokens', inWords: (amount: number) => string) => {
    const [most, rest] = [limit[of], remaining[of] ?? 0]
    if (most === null) return null
    if (rest >= 0) return inWords(rest)
    // A limit that was lowered may be reserved as a whole, and more.
    return spent[of] > most ? `${OVERSPENT} ${inWords(spent[of] - most)}` : 'nothing'
  }
  return [left('usd', dollars), left('tokens', (count) => plural(count, 'token'))]
}

function amounts({ usd, tokens }: BudgetInfo['limit']): string {
  const parts = [usd === null ? null : dollars(usd), tokens === null ? null : plural(tokens, 'token')]
  return parts.filter((part) => part !== null).join(', ') || 'no limit'
}
