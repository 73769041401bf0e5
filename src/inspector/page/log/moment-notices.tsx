/** What to know of the shown moment: the limits of accounts, and records that cannot be read. */
import type { AccountView } from '../../view.ts'
import { minute, number } from '../parts/words.ts'
import { visitFact } from './address.ts'
import { moment } from './state.ts'

export function MomentNotices() {
  const broken = moment.value?.log.broken ?? []
  return (
    <div class="notices">
      {moment.value?.accounts.map((account) => (
        <Account key={account.account} {...account} />
      ))}
      {broken.length > 0 && (
        <p class="notice bad">
          {broken.length === 1
            ? 'One record of the log cannot be read'
            : `${broken.length} records of the log cannot be read`}
          {'; everything before and after is shown. '}
          {broken.slice(0, 5).map(({ position }) => (
            <button type="button" class="link" key={position} onClick={() => visitFact(position)}>
              {number(position)}
            </button>
          ))}
        </p>
      )}
    </div>
  )
}

/** How far the limits of an account are used, and when they reset. */
function Account({ account, windows, waitsUntil, said }: AccountView) {
  const facts = [
    ...windows.map(({ name, status, utilization, resetsAt }) => {
      const used = utilization === null ? status : `${Math.round(utilization * 100)}% used`
      return `${name} ${used}${resetsAt === null ? '' : `, resets ${minute(resetsAt)}`}`
    }),
    ...(waitsUntil === null ? [] : [`waits until ${minute(waitsUntil)}`]),
    ...(said === null ? [] : [`held: ${said}`]),
  ]
  return (
    <p class={waitsUntil === null && said === null ? 'notice' : 'notice bad'}>
      {account}: {facts.join('; ') || 'open'}
    </p>
  )
}
