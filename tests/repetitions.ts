/** How often a test does what only repeating shows: a few times in `npm test`, in full in CI and `npm run faults`. */

/** Whether the long forms of tests run: `LONG_TESTS=1 npm test`. */
export const isLong = process.env.LONG_TESTS === '1'

/** A variable of this name says another number. */
export const repetitions = (variable: string, { short, long }: { short: number; long: number }): number =>
  Number(process.env[variable] ?? (isLong ? long : short))

/** Whether every case of the same kind runs that costs a process: in CI, which says `CASES=all`, and in full. */
export const everyCase = isLong || process.env.CASES === 'all'

/** The first of such cases, or every one. */
export const few = <Case>(count: number, cases: readonly Case[]): readonly Case[] =>
  everyCase ? cases : cases.slice(0, count)
