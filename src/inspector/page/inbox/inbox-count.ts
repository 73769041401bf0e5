/** How much waits for a person, for the top bar and the overview; null while that is not known. */
import { signal } from '@preact/signals'

export const inboxCount = signal<number | null>(null)
