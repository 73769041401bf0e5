/** The data of a fact or a state as a readable tree. All of it is rendered as text. */
import { useState } from 'preact/hooks'
import type { Json } from '../../../events/json.ts'
import type { BodyLocation, BodyView } from '../../view.ts'
import { PlainText } from './plain-text.tsx'
import { size } from './words.ts'

interface Whole {
  /** The texts that are too long. */
  readonly bodies: readonly BodyLocation[]
  /** Reads a piece of one. */
  readonly piece: (path: string, offset: number) => Promise<BodyView>
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
  if (body && whole) return <LongText value={value} body={body} piece={whole.piece} />
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
  isSmall(text) ? <span class="string">{text === '' ? '(empty)' : text}</span> : <PlainText text={text} />

/** A long text, which loads in pieces on demand. */
function LongText({
  value,
  body,
  piece: readPiece,
}: {
  readonly value: Json
  readonly body: BodyLocation
  readonly piece: Whole['piece']
}) {
  const [text, setText] = useState<string | null>(null)
  const [read, setRead] = useState(0)
  const [length, setLength] = useState(body.length)
  const [problem, setProblem] = useState('')
  const more = async () => {
    try {
      const piece = await readPiece(body.path, read)
      setText((text ?? '') + piece.text)
      setRead(piece.end)
      setLength(piece.length)
    } catch (error) {
      setProblem((error as Error).message)
    }
  }
  return (
    <div>
      {text === null && typeof value !== 'string' ? null : <PlainText text={text ?? (value as string)} />}
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
