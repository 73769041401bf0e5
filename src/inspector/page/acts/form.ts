/** The form that is open: one at a time, carried out once, however often it is sent. */
import { signal } from '@preact/signals'
import type { DoneView, FormView, OfferView } from '../../acts/view.ts'
import { ask } from '../shell/ask.ts'
import { visit } from '../shell/router.ts'

/** What the open form is about; null if none is open. */
export const openedOffer = signal<OfferView | null>(null)
/** What was done last, as a sentence. */
export const lastDone = signal('')
/** Counts what was done here, for what has to be read again then. */
export const timesDone = signal(0)

export function openOffer(offer: OfferView): void {
  lastDone.value = ''
  openedOffer.value = offer
}

export function closeOffer(): void {
  openedOffer.value = null
}

export const newForm = (): Promise<FormView> => ask('form', {})

/** The server has done nothing: a new form is needed to try again. Any other failure may come after it was done. */
export class RefusedForm extends Error {
  readonly hint: string

  constructor({ message, hint = '' }: { readonly message: string; readonly hint?: string }) {
    super(message)
    this.hint = hint
  }
}

/** Sends a form, and notes what it did. Throws RefusedForm. */
export async function sendForm(
  offer: OfferView,
  form: string,
  fields: Readonly<Record<string, string>>,
): Promise<void> {
  const response = await fetch('/api/act', {
    method: 'POST',
    credentials: 'same-origin',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...fields, ...offer.about, action: offer.action, form }),
  })
  const answer = await response.json()
  if (!response.ok)
    throw new RefusedForm(answer?.error ?? { message: `The inspector answered ${response.status}.` })
  const { done, place } = answer as DoneView
  lastDone.value = done
  timesDone.value++
  closeOffer()
  if (place !== undefined) visit(place)
}
