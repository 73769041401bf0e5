/** Days as the reader's calendar has them. Pure. */

/** The instants at which the last days began, today's last: not 24 hours apart where clocks are put forward or back. */
export const lastDays = (now: Date, count: number): readonly number[] =>
  Array.from({ length: count }, (_, at) =>
    new Date(now.getFullYear(), now.getMonth(), now.getDate() - (count - 1 - at)).getTime(),
  )
