/** Durations that keep counting while they are shown. */

import { useEffect, useState } from 'preact/hooks'
import { duration } from '../../../events/figures.ts'

const TICK_MS = 500

/** The time, in ms since the epoch; it stands still unless something runs. */
export function useNow(isRunning: boolean): number {
  const [now, setNow] = useState(Date.now)
  useEffect(() => {
    if (!isRunning) return
    setNow(Date.now())
    const timer = setInterval(() => setNow(Date.now()), TICK_MS)
    return () => clearInterval(timer)
  }, [isRunning])
  return now
}

/** How long something has taken, up to now if it has not ended. */
export function Took({ since, until }: { readonly since: string; readonly until: string | null }) {
  const now = useNow(until === null)
  return <>{duration(Math.max(0, (until === null ? now : Date.parse(until)) - Date.parse(since)))}</>
}
