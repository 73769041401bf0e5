/** Formats money, durations and counts for people. */

/** Rounded to a billionth of a dollar, so that sums of many small amounts show no rounding errors. */
export const roundedUsd = (amount: number): number => Math.round(amount * 1e9) / 1e9

/** `$2.50`, `$0.0043`, `-$0.50`, `$0.00003`: to the cent, and further where a call costs a fraction of one. */
export function dollars(amount: number): string {
  const size = Math.abs(amount)
  const decimals = size > 0 && size < 0.0001 ? Math.min(12, 1 - Math.floor(Math.log10(size))) : 4
  return `${amount < 0 ? '-' : ''}$${size.toFixed(decimals).replace(/(\.\d\d\d*?)0+$/, '$1')}`
}

/** `$2.50`, or `~$2.50` if part of it is an estimate. */
export const dollarsSpent = (amount: number, estimated: number): string =>
  `${estimated > 0 ? '~' : ''}${dollars(amount)}`

/** `45 ms`, `0.4 s`, `12 s`, `3:05`, `2:03:05`, `3 d 2 h` */
export function duration(milliseconds: number): string {
  if (milliseconds > 0 && milliseconds < 100) return `${Math.round(milliseconds)} ms`
  const seconds = milliseconds / 1000
  if (seconds < 10) return `${seconds.toFixed(1)} s`
  if (seconds < 60) return `${Math.floor(seconds)} s`
  const twoDigits = (part: number) => String(Math.floor(part % 60)).padStart(2, '0')
  if (seconds < 3600) return `${Math.floor(seconds / 60)}:${twoDigits(seconds)}`
  const hours = Math.floor(seconds / 3600)
  if (hours < 24) return `${hours}:${twoDigits(seconds / 60)}:${twoDigits(seconds)}`
  return `${Math.floor(hours / 24)} d ${hours % 24} h`
}

/** `1 fact`, `2 facts`, `2 long bodies` */
export const plural = (count: number, one: string, many = `${one}s`): string =>
  `${count} ${count === 1 ? one : many}`

/** `now`, `40 s ago`, `5 min ago`, `3 h ago`, `12 d ago` */
export function ago(milliseconds: number): string {
  const seconds = Math.floor(milliseconds / 1000)
  if (seconds < 1) return 'now'
  if (seconds < 60) return `${seconds} s ago`
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`
  return seconds < 86_400 ? `${Math.floor(seconds / 3600)} h ago` : `${Math.floor(seconds / 86_400)} d ago`
}
