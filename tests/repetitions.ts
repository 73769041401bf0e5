/** How often a test does what only repeating shows: a few times in `npm test`, in full in CI and `npm run faults`. */

/** Whether the long forms of tests run: `LONG_TESTS=1 npm test`. */
export const isLong = process.env.LONG_TESTS === '1'

/** A variable of this name says another number. */
export const repetitions = (variable: string, { short, long }: { short: number; long: number }): number =>
  Number(process.env[variable] ?? (isLong ? long : short))
