/** The data of a fact or a state as a readable tree. All of it is rendered as text. */
import { useState } from 'preact/hooks'
import type { Json } from '../../../events/json.ts'
import type { BodyLocation } from '../../view.ts'
import { ask } from '../shell/ask.ts'
import { size } from './words.ts'

interface Whole {
  /** The position of the fact that holds the long texts. */
  readonly position: number
  readonly bodies: readonly BodyLocation[]
}

const LONG_LINE = 60

export function Payload({
  value,
  path,
  whole,
}: {
  readonly value: Json
  readonly path: string
  readonly whole?: Whole
}) {
  const body = whole?.bodies.find((location) => location.path === path)
  if (body && whole) return <LongText value={value} body={body} position={whole.position} />
  if (typeof value === 'string') return <Text text={value} />
  if (value === null || typeof value !== 'object') return <span class="literal">{String(value)}</span>
  const entries = Object.entries(value)
  if (entries.length === 0) return <span class="literal">{Array.isArray(value) ? 'none' : '{ }'}</span>
  return (
    <dl class="tree">
      {entries.map(([key, item]) => (
        <div key={key} class={isSmall(item) ? 'small' : ''}>
          <dt>{key}</dt>
          <dd>
            <Payload value={item} path={`${path}.${key}`} {...(whole ? { whole } : {})} />
          </dd>
        </div>
      ))}
    </dl>
  )
}

function isSmall(value: Json): boolean {
  if (typeof value === 'string') return value.length <= LONG_LINE && !value.includes('\n')
  return value === null || typeof value !== 'object' || Object.keys(value).length === 0
}

const Text = ({ text }: { readonly text: string }) =>
  isSmall(text) ? (
    <span class="string">{text === '' ? '(empty)' : text}</span>
  ) : (
    <pre class="text">{text}</pre>
  )

/** A long text, which loads in pieces on demand. */
function LongText({
  value,
  body,
  position,
}: {
  readonly value: Json
  readonly body: BodyLocation
  readonly position: number
}) {
  const [text, setText] = useState<string | null>(null)
  const [read, setRead] = useState(0)
  const [length, setLength] = useState(body.length)
  const [problem, setProblem] = useState('')
  const more = async () => {
    try {
      const piece = await ask('body', { position, path: body.path, offset: read })
      setText((text ?? '') + piece.text)
      setRead(piece.end)
      setLength(piece.length)
    } catch (error) {
      setProblem((error as Error).message)
    }
  }
  return (
    <div>
      {text === null && typeof value !== 'string' ? null : (
        <pre class="text">{text ?? (value as string)}</pre>
      )}
      {problem !== '' && <p class="tone-bad">{problem}</p>}
      {(text === null || read < length) && (
        <button type="button" class="link" onClick={more}>
          {text === null
            ? `Show the whole text (${size(length)})`
            : `Show more (${size(length - read)} left)`}
        </button>
      )}
    </div>
  )
}
