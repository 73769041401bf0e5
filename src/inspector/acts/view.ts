/** What the page can do, as the server tells it: plain JSON, so that the page needs to know no action. */
import type { Json } from '../../events/json.ts'
import type { InboxKind, ProposedChange } from '../../inbox/entry.ts'

export type ActionName =
  | 'approve'
  | 'deny'
  | 'answer'
  | 'retry'
  | 'cancel'
  | 'resume'
  | 'raise'
  | 'reset'
  | 'undo'
  | 'land'
  | 'fork'

/** What is sent, and what is shown of it: no character of that is hidden. */
export interface ChoiceView {
  readonly value: string
  readonly label: string
}

/** A field of a form. */
export interface FieldView {
  readonly name: string
  readonly label: string
  /** `choice` offers `choices`. The others are text: one line, several, an amount, or JSON. */
  readonly kind: 'line' | 'text' | 'amount' | 'json' | 'choice'
  readonly value: string
  readonly choices?: readonly ChoiceView[]
  readonly required?: true
}

/** Something that can be done, with the form that asks for it. */
export interface OfferView {
  readonly action: ActionName
  /** The key that opens its form in the inbox: to approve, deny or edit. */
  readonly key?: 'a' | 'd' | 'e'
  /** What its button says. */
  readonly label: string
  /** What it does, what it costs and what it destroys: shown before it is done. */
  readonly says: string
  /** `costs`: money may be spent. `destroys`: something cannot be brought back. */
  readonly effect: 'costs' | 'destroys' | 'plain'
  /** Sent along with the fields. */
  readonly about: Readonly<Record<string, string>>
  readonly fields: readonly FieldView[]
}

/** An entry of the inbox. Long texts are truncated; `bodies` locates them in full for `/api/entry`. */
export interface EntryView {
  readonly id: string
  readonly kind: InboxKind
  readonly agent: string | null
  readonly run: string | null
  readonly since: string
  readonly question: string
  readonly prompt: string | null
  readonly tool: string | null
  readonly input: Json
  readonly bodies: readonly { readonly path: string; readonly length: number }[]
  readonly choices: readonly string[] | null
  readonly costUsd: number | null
  readonly command: string
  readonly offers: readonly OfferView[]
}

/** Whether something can be done, and as whom. */
export interface ActingView {
  readonly by: string
  /** Why nothing can be done; null if something can. */
  readonly problem: { readonly message: string; readonly hint: string } | null
}

export interface InboxView {
  readonly entries: readonly EntryView[]
  /** How many entries are not in `entries`. */
  readonly more: number
  readonly acting: ActingView
  /** Why the inbox cannot be read; null if it can. */
  readonly problem: string | null
}

/** What a tool call would change in a file as it is now; null if it changes none. */
export interface ProposalView {
  readonly change: ProposedChange | null
}

/** What can be done about an actor as it is now. */
export interface OffersView {
  readonly offers: readonly OfferView[]
}

/** A new form, to be sent once to `POST /api/act`. */
export interface FormView extends ActingView {
  readonly form: string
}

/** What was done, as a sentence, and the address of what it made. */
export interface DoneView {
  readonly done: string
  readonly place?: string
}
