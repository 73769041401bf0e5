/** Formats money, durations and counts for people. */

/** `$2.50`, `$0.0043`, `-$0.50`. To the cent, or with up to four decimals, because a call may cost a fraction of a cent. */
export const dollars = (amount: number): string =>
  `${amount < 0 ? '-' : ''}$${Math.abs(amount)
    .toFixed(4)
    .replace(/0{1,2}$/, '')}`

/** `0.4 s`, `12 s`, `3:05`, `2:03:05` */
export function duration(milliseconds: number): string {
  const seconds = milliseconds / 1000
  if (seconds < 10) return `${seconds.toFixed(1)} s`
  if (seconds < 60) return `${Math.floor(seconds)} s`
  const twoDigits = (part: number) => String(Math.floor(part % 60)).padStart(2, '0')
  if (seconds < 3600) return `${Math.floor(seconds / 60)}:${twoDigits(seconds)}`
  return `${Math.floor(seconds / 3600)}:${twoDigits(seconds / 60)}:${twoDigits(seconds)}`
}

/** `1 fact`, `2 facts`, `2 long bodies` */
export const plural = (count: number, one: string, many = `${one}s`): string =>
  `${count} ${count === 1 ? one : many}`
