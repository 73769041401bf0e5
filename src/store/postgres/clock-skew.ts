/** How far the clock of this machine is from that of the database: what is due is recorded by one machine and done by another. */
import { type Clock, steadyTime } from '../../clock.ts'

/** A worker with more than that is refused, in ms. */
export const LARGEST_SKEW_MS = 60_000

const ROUNDS = 3
const ASK = `select (extract(epoch from clock_timestamp()) * 1000)::float8 as now`

/** Positive if this machine is ahead, in ms; exact to half of the quickest answer. */
export async function clockSkew(
  rows: (text: string) => Promise<readonly { readonly now: number }[]>,
  clock: Clock,
): Promise<number> {
  let found = { tookMs: Number.POSITIVE_INFINITY, skewMs: 0 }
  for (let round = 0; round < ROUNDS; round++) {
    const begin = steadyTime(clock)
    const [row] = await rows(ASK)
    const tookMs = steadyTime(clock) - begin
    if (row && tookMs < found.tookMs) found = { tookMs, skewMs: clock.now() - tookMs / 2 - row.now }
  }
  return found.skewMs
}

/** `180 s ahead of`, ready to be followed by what it is compared with. */
export const skewText = (skewMs: number): string =>
  `${Math.round(Math.abs(skewMs) / 1000)} s ${skewMs > 0 ? 'ahead of' : 'behind'}`
