/** A limit on what an account uses within some time, as the service describes it. */
/** What a service said about one window of an account: a limit on what the account uses within some time. */
export interface AccountWindow {
  /** In the service's words, as `five_hour`, `seven_day`. */
  readonly name: string
  /** In the service's words: `allowed`, `allowed_warning`, `rejected`. */
  readonly status: string
  /** How much of it is used, 1 being all; null if unknown. */
  readonly utilization: number | null
  /** When it resets, in ms since the epoch; null if unknown. */
  readonly resetsAt: number | null
}
