/** Follows the growth of the log through server-sent events. The browser reconnects by itself. */
import { connected, noteGrowth, problem } from './state.ts'

export function followGrowth(): void {
  const events = new EventSource('/api/live')
  events.onopen = () => {
    connected.value = true
  }
  events.onerror = () => {
    connected.value = false
  }
  events.onmessage = ({ data }) => {
    const { head, indexed, ended } = JSON.parse(data) as {
      head: number
      indexed: number
      ended: string | null
    }
    noteGrowth(head, indexed)
    if (ended !== null) problem.value = ended
  }
}
