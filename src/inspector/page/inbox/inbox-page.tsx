/** The inbox: everything that waits for a person. */
import { usePageTitle } from '../shell/page-title.ts'

export function InboxPage() {
  usePageTitle('Inbox')
  return (
    <section class="card sheet">
      <h1>Inbox</h1>
      <p class="empty">
        <code>claude-agents inbox</code> lists what waits for a person, and answers it.
      </p>
    </section>
  )
}
