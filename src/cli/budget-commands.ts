/** `budget show | list | set` */
import type { BudgetInfo } from '../actors/admission/budget-ledger.ts'
import type { BudgetScope } from '../actors/admission/budget-scope.ts'
import { noteNoStore } from './agent-commands.ts'
import { type GlobalOptions, hasStore } from './global-options.ts'
import { goOnWith } from './held-commands.ts'
import { withSession } from './session.ts'
import { inert, type Terminal } from './terminal.ts'

interface Scope {
  readonly agent?: string
  readonly run?: string
}

export interface SetOptions extends Scope {
  readonly usd?: number | null
  readonly tokens?: number | null
  readonly wait: boolean
}

export async function show(globals: GlobalOptions, { agent, run }: Scope) {
  if (!hasStore(globals)) return noteNoStore(globals)
  return withSession(globals, async ({ orchestrator, terminal }) => {
    const info = await orchestrator.budgets.show(scopeOf({ agent, run }))
    if (terminal.json) return terminal.value(info)
    const { limit, spent, reserved, remaining } = info
    const rows: [string, string][] = [
      ['budget of', nameOf(info.scope)],
      ['limit', amounts(limit, 'no limit')],
      ['spent', `${dollars(spent.usd)}, ${spent.tokens} tokens`],
      ['reserved', `${dollars(reserved.usd)}, ${reserved.tokens} tokens`],
      ['left', amounts(remaining, 'no limit')],
    ]
    for (const [name, value] of rows)
      terminal.line(`${terminal.style('dim', name.padEnd(14))}${inert(value)}`)
  })
}

export async function list(globals: GlobalOptions) {
  if (!hasStore(globals)) return noteNoStore(globals)
  return withSession(globals, async ({ orchestrator, terminal }) => {
    const budgets = await orchestrator.budgets.list()
    if (terminal.json) {
      for (const budget of budgets) terminal.value(budget)
      return
    }
    if (budgets.length === 0)
      return terminal.note('No budget is set. Set one: claude-agents budget set --usd N')
    for (const budget of budgets) terminal.line(inLine(budget))
  })
}

export async function set(globals: GlobalOptions, { agent, run, usd, tokens, wait }: SetOptions) {
  const { InvalidInputError } = await import('../events/errors/usage.ts')
  if (usd === undefined && tokens === undefined) {
    const hint = 'As in: claude-agents budget set --usd 3'
    throw new InvalidInputError({ what: 'The budget', problem: 'neither --usd nor --tokens is given', hint })
  }
  return withSession(globals, async (session) => {
    const { orchestrator, terminal, owner } = session
    const budget = { ...(usd === undefined ? {} : { usd }), ...(tokens === undefined ? {} : { tokens }) }
    const info = await orchestrator.budgets.set(budget, scopeOf({ agent, run }))
    if (terminal.json) terminal.value(info)
    else terminal.line(inLine(info))
    const held = (await orchestrator.held.list()).filter(({ reason }) => reason === 'budget')
    // Whoever has the store open goes on by itself.
    if (held.length > 0 && owner === null) await continueHeld(session, held, wait)
  })
}

async function continueHeld(
  session: Parameters<typeof goOnWith>[0],
  held: Parameters<typeof goOnWith>[1],
  wait: boolean,
) {
  if (!wait) return noteLater(session.terminal, held.length)
  await goOnWith(session, held)
}

const noteLater = (terminal: Terminal, tasks: number) =>
  terminal.note(
    `${tasks} held ${tasks === 1 ? 'task' : 'tasks'}: claude-agents recover goes on with what fits now`,
  )

const scopeOf = ({ agent, run }: { agent: string | undefined; run: string | undefined }): BudgetScope => ({
  ...(agent === undefined ? {} : { agent }),
  ...(run === undefined ? {} : { run }),
})

/** `agent writer: $2.50 of $3.00 spent, $0.50 left` */
export function inLine({ scope, limit, spent, remaining }: BudgetInfo): string {
  const parts = [
    limit.usd === null
      ? null
      : `${dollars(spent.usd)} of ${dollars(limit.usd)} spent, ${dollars(remaining.usd ?? 0)} left`,
    limit.tokens === null ? null : `${spent.tokens} of ${limit.tokens} tokens used, ${remaining.tokens} left`,
  ].filter((part) => part !== null)
  return inert(`${nameOf(scope)}: ${parts.join('; ') || 'no limit'}`)
}

function amounts({ usd, tokens }: BudgetInfo['limit'], none: string): string {
  const parts = [usd === null ? null : dollars(usd), tokens === null ? null : `${tokens} tokens`]
  return parts.filter((part) => part !== null).join(', ') || none
}

const nameOf = ({ agent, run }: BudgetScope) =>
  agent !== undefined ? `agent ${agent}` : run !== undefined ? `run ${run}` : 'everything'

const dollars = (amount: number) => `${amount < 0 ? '-' : ''}$${Math.abs(amount).toFixed(4)}`
