/** A place that is not there, or not yet: a long log may still be read. */
import { head, indexed } from '../shell/state.ts'

export function NotFound({
  what,
  problem,
  list,
}: {
  readonly what: string
  readonly problem: string
  /** The address of the list to choose from. */
  readonly list: string
}) {
  const isReading = indexed.value < head.value || head.value === 0
  return (
    <section class="card sheet">
      <h1>{what}</h1>
      {problem !== '' && <p class="notice bad">{problem}</p>}
      <p class="empty" role="status">
        {isReading ? 'Reading the log…' : `${what} is not in this log.`}
      </p>
      <p>
        <a class="link" href={list}>
          Show all
        </a>
      </p>
    </section>
  )
}
