/** `account list | resume`: the accounts that pay for calls, how far their limits are used, and letting calls begin again. */
import type { Command } from 'commander'
import type { AccountInfo } from '../../actors/admission/accounts.ts'
import { InvalidInputError } from '../../events/errors/usage.ts'
import { plural } from '../../events/figures.ts'
import { defined } from '../../events/json.ts'
import { userName } from '../../inbox/user-name.ts'
import { hasStore, noteNoStore } from '../existing-store.ts'
import type { GlobalOptions } from '../global-options.ts'
import { withGlobals } from '../global-options.ts'
import { resumeHeld } from '../held/commands.ts'
import { readStore, type Session, withSession } from '../session.ts'
import { list } from '../terminal/list.ts'
import { inert } from '../terminal/text.ts'

export function accountCommands(account: Command): void {
  account
    .command('list')
    .description('list accounts: how far their limits are used, and when they reset')
    .action(withGlobals(listAccounts))
  account
    .command('resume [account]')
    .description('let calls begin again, once an account can pay or a limit was lifted')
    .option('--by <name>', 'who says so (default: your user name)')
    .option('--no-wait', 'only resume it; recover resumes held tasks')
    .action(withGlobals(resume))
}

function listAccounts(globals: GlobalOptions) {
  return readStore(globals, async ({ orchestrator, terminal }) => {
    const none = 'Nothing is known of any account: its limits are told with the answers of claude.'
    list(terminal, await orchestrator.accounts.list(), none, (accounts) => accounts.map(accountLine))
  })
}

function resume(
  globals: GlobalOptions,
  account: string | undefined,
  { wait, by = userName() }: { readonly wait: boolean; readonly by?: string },
) {
  if (!hasStore(globals)) return noteNoStore(globals)
  const work = async (session: Session) => {
    const { orchestrator, terminal, owner } = session
    const known = (await orchestrator.accounts.list()).map((info) => info.account)
    if (account !== undefined && !known.includes(account))
      throw new InvalidInputError({
        what: `Account "${account}"`,
        problem: 'nothing is known of it',
        hint: 'List them: claude-agents account list',
      })
    const resumed = await orchestrator.accounts.resume(defined({ account, by }))
    if (terminal.json) for (const info of resumed) terminal.value(info)
    else if (resumed.length === 0) terminal.note('No account waits or is held.')
    else for (const info of resumed) terminal.line(accountLine(info))
    const held = (await orchestrator.held.list()).filter(({ reason }) => reason === 'account')
    // Another process that has the store open resumes them itself.
    if (held.length === 0 || owner !== null) return
    if (wait) await resumeHeld(session, held)
    else terminal.note(`${plural(held.length, 'held task')}: claude-agents recover resumes them`)
  }
  return withSession(globals, work, wait ? 'call' : 'change')
}

/** `api.anthropic.com#3f9a: five_hour 85% used, resets 2026-01-01 05:00 UTC; waits until 2026-01-01 05:00 UTC` */
export function accountLine({ account, status, windows, waitsUntil, said }: AccountInfo): string {
  const parts = [
    ...windows.map(({ name, status: told, utilization, resetsAt }) =>
      [
        utilization === null ? `${name} ${told}` : `${name} ${Math.round(utilization * 100)}% used`,
        ...(resetsAt === null ? [] : [`resets ${minute(resetsAt)}`]),
      ].join(', '),
    ),
    ...(waitsUntil === null ? [] : [`waits until ${minute(waitsUntil)}`]),
    ...(said === null ? [] : [`held: ${said} (claude-agents account resume)`]),
  ]
  return inert(`${account}: ${parts.join('; ') || status}`)
}

const minute = (at: string) => `${at.slice(0, 16).replace('T', ' ')} UTC`
