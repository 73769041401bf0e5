/** The dialog of a form: what will happen, the fields, and the one button that does it. */
import { useEffect, useRef, useState } from 'preact/hooks'
import type { FieldView, FormView, OfferView } from '../../acts/view.ts'
import { closeOffer, lastDone, newForm, openedOffer, RefusedForm, sendForm } from './form.ts'

export function Confirm() {
  const offer = openedOffer.value
  return (
    <>
      <p class="done" role="status">
        {lastDone.value}
      </p>
      {offer && <Form key={JSON.stringify(offer)} offer={offer} />}
    </>
  )
}

interface Told {
  readonly message: string
  readonly hint: string
}

function Form({ offer }: { readonly offer: OfferView }) {
  const dialog = useRef<HTMLDialogElement>(null)
  const [form, setForm] = useState<FormView | null>(null)
  const [problem, setProblem] = useState<Told | null>(null)
  const [isSending, setSending] = useState(false)
  const open = () =>
    newForm().then(setForm, (error: Error) => setProblem({ message: error.message, hint: '' }))
  useEffect(() => {
    dialog.current?.showModal()
    void open()
  }, [])
  const isReady = form !== null && form.problem === null
  useEffect(() => {
    // Once it can be sent: the button could not be focused before.
    if (isReady) dialog.current?.querySelector<HTMLElement>('input, textarea, .confirm')?.focus()
  }, [isReady])
  const send = async (fields: FormData) => {
    if (!form || isSending) return
    setSending(true)
    setProblem(null)
    try {
      const given = [...fields].map(([name, value]) => [name, String(value)] as const)
      await sendForm(offer, form.form, Object.fromEntries(given))
    } catch (error) {
      const { message } = error as Error
      if (error instanceof RefusedForm) {
        setProblem({ message, hint: error.hint })
        void open()
      } else {
        const hint = 'Try again: it is done once, even if it was done already.'
        setProblem({ message: 'The inspector did not answer.', hint })
      }
      setSending(false)
    }
  }
  const told = form?.problem ?? problem
  return (
    <dialog
      ref={dialog}
      class="form"
      aria-labelledby="form-title"
      onClose={closeOffer}
      onKeyDown={(event) => {
        // The key that opened the form may still be down.
        if (event.repeat && event.key === 'Enter') event.preventDefault()
        if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
          event.preventDefault()
          dialog.current?.querySelector('form')?.requestSubmit()
        }
      }}
    >
      <form
        onSubmit={(event) => {
          event.preventDefault()
          void send(new FormData(event.currentTarget))
        }}
      >
        <h2 id="form-title">{offer.label}</h2>
        <p class="subject">{Object.values(offer.about).join(' ')}</p>
        <p>{offer.says}</p>
        {offer.fields.map((field) => (
          <Field key={field.name} field={field} />
        ))}
        {told && (
          <div class="notice bad" role="alert">
            <p>{told.message}</p>
            {told.hint !== '' && <p>{told.hint}</p>}
          </div>
        )}
        <p class="buttons">
          <button type="submit" class={`confirm ${offer.effect}`} disabled={!isReady || isSending}>
            {offer.label}
          </button>
          <button type="button" class="quiet" onClick={() => dialog.current?.close()}>
            Back
          </button>
          {isReady && <span class="extent">as {form.by}</span>}
        </p>
      </form>
    </dialog>
  )
}

function Field({ field }: { readonly field: FieldView }) {
  const { name, label, kind, value, required = false } = field
  if (kind === 'choice') {
    return (
      <fieldset class="choices">
        <legend>{label}</legend>
        {(field.choices ?? []).map((choice) => (
          <label key={choice.value}>
            <input
              type="radio"
              name={name}
              value={choice.value}
              required={required}
              defaultChecked={choice.value === value}
            />
            {choice.label}
          </label>
        ))}
      </fieldset>
    )
  }
  const id = `field-${name}`
  const given = { id, name, required, defaultValue: value }
  return (
    <p class="field">
      <label for={id}>{label}</label>
      {kind === 'text' || kind === 'json' ? (
        <textarea {...given} rows={6} spellcheck={kind === 'text'} />
      ) : (
        <input {...given} autocomplete="off" inputMode={kind === 'amount' ? 'decimal' : 'text'} />
      )}
    </p>
  )
}
