/** A prompt or an answer: rendered as Markdown or as it is written, folded if it is long, and read on demand to its end. */
import { signal } from '@preact/signals'
import { useEffect, useRef, useState } from 'preact/hooks'
import type { TextView } from '../../view.ts'
import { ask } from '../shell/ask.ts'
import { Copy } from './copy.tsx'
import { Markdown } from './markdown.tsx'
import { PlainText } from './plain-text.tsx'
import { size } from './words.ts'

/** Whether texts are shown as they are written. */
const isPlain = signal(false)

export function TextBlock({
  view,
  label,
  fold = false,
}: {
  readonly view: TextView
  /** What the text is: `Prompt`. */
  readonly label: string
  /** Whether only its beginning is shown at first. */
  readonly fold?: boolean
}) {
  const [rest, setRest] = useState({ text: '', end: view.end })
  const [problem, setProblem] = useState('')
  const content = useRef<HTMLDivElement>(null)
  const [isOpen, setOpen] = useState(!fold)
  const [isLong, setLong] = useState(false)
  useEffect(() => {
    const { current } = content
    if (current && !isOpen) setLong(current.scrollHeight > current.clientHeight + 8)
  })
  const { position, path, text, length } = view
  const isMore = length > rest.end
  if (view.problem !== null) return <p class="empty">{view.problem}</p>
  const more = async () => {
    try {
      const piece = await ask('body', { position, path, offset: rest.end })
      setRest({ text: rest.text + piece.text, end: piece.end })
    } catch (error) {
      setProblem((error as Error).message)
    }
  }
  return (
    <div class="text-block">
      <div ref={content} class={isOpen ? '' : isLong ? 'folded long' : 'folded'}>
        {isPlain.value ? <PlainText text={text} /> : <Markdown text={text} />}
        {rest.text !== '' && <PlainText text={rest.text} />}
      </div>
      {problem !== '' && <p class="tone-bad">{problem}</p>}
      <p class="text-actions">
        {fold && (isLong || isOpen) && (
          <button type="button" class="link" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
            {isOpen ? 'Show less' : 'Show all'}
          </button>
        )}
        {isMore && isOpen && (
          <button type="button" class="link" onClick={more}>
            Show more ({size(length - rest.end)} left)
          </button>
        )}
        <Copy
          text={text + rest.text}
          label={isMore ? `Copy the beginning of the ${label}` : `Copy the ${label}`}
        />
        <button
          type="button"
          class="quiet"
          aria-pressed={isPlain.value}
          title="Show texts as they are written"
          onClick={() => {
            isPlain.value = !isPlain.value
          }}
        >
          Source
        </button>
      </p>
    </div>
  )
}
