/** Times that go on while they are looked at. */
import { useEffect, useState } from 'preact/hooks'
import { timeSpan } from './words.ts'

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
  return <>{timeSpan(Math.max(0, (until === null ? now : Date.parse(until)) - Date.parse(since)))}</>
}
