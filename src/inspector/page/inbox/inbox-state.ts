/** The inbox as the server told it last. It is read again whenever the log grows, and when the page is looked at again. */
import { effect, signal } from '@preact/signals'
import type { InboxView } from '../../acts/view.ts'
import { timesDone } from '../acts/form.ts'
import { ask, latest } from '../shell/ask.ts'
import { connected, head, inboxCount } from '../shell/state.ts'

/** null until the first answer. */
export const inbox = signal<InboxView | null>(null)

/** The shortest time between two looks at the inbox of a growing log. */
const LOOK_AGAIN_MS = 300

export function followInbox(): void {
  const load = latest(async () => {
    const told = await ask('inbox', {}).catch(() => null)
    if (told) {
      inbox.value = told
      inboxCount.value = told.problem === null ? told.entries.length + told.more : null
    }
    // Anything that happens meanwhile is looked at together.
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS))
  })
  effect(() => {
    for (const reason of [head, connected, timesDone]) reason.value
    load()
  })
  // An owner that starts or ends writes nothing.
  window.addEventListener('focus', load)
}
