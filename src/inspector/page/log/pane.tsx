/** What is shown below the lanes: the facts, or the files of the actor and what has changed in them. */
import { useEffect, useRef } from 'preact/hooks'
import { streamTitle } from '../parts/words.ts'
import { FactList, factExtent } from './fact-list.tsx'
import { FilesPane } from './files-pane.tsx'
import { pane, subject } from './state.ts'

const NAMES: readonly (readonly [typeof pane.value, string, string])[] = [
  ['facts', 'Facts', 'The log'],
  ['files', 'Files', 'The files of the actor at this moment (f)'],
  ['changes', 'Changes', 'What was changed in its files (d)'],
]

export function Pane() {
  const section = useRef<HTMLElement>(null)
  const shown = pane.value
  const [, name = ''] = NAMES.find(([one]) => one === shown) ?? []
  useEffect(() => {
    // On a narrow screen, what asked for it may be far below.
    if (shown !== 'facts') section.current?.scrollIntoView({ block: 'nearest' })
  }, [shown])
  return (
    <section class={`card ${shown === 'facts' ? 'facts' : 'files'}`} aria-label={name} ref={section}>
      <header>
        <h2>
          {shown === 'facts' || subject.value === '' ? name : `${name} of ${streamTitle(subject.value)}`}
        </h2>
        <p class="extent">{shown === 'facts' ? factExtent.value : ''}</p>
        <fieldset class="switch">
          <legend class="hidden">What is shown here</legend>
          {NAMES.map(([one, label, title]) => (
            <button
              type="button"
              key={one}
              title={title}
              aria-pressed={shown === one}
              onClick={() => {
                pane.value = one
              }}
            >
              {label}
            </button>
          ))}
        </fieldset>
      </header>
      {shown === 'facts' ? <FactList /> : <FilesPane key={`${shown} ${subject.value}`} shown={shown} />}
    </section>
  )
}
