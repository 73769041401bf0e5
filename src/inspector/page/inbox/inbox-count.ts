/** How much waits for a person, for the top bar; null while that is not known. */
import { signal } from '@preact/signals'

export const inboxCount = signal<number | null>(null)
