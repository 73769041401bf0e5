/** The files of the actor at the shown moment, and what has changed in them. All of it is rendered as text. */
import type { ComponentChildren } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import type { Answers, ChangeLine, ChangesView, FileLine, FilesAt, FileView } from '../../view.ts'
import { PatchText } from '../parts/patch.tsx'
import { number, several, size, streamTitle } from '../parts/words.ts'
import { ask, type Query } from '../shell/ask.ts'
import { visitFact } from './address.ts'
import { file, filesText, listedFiles, moment, sinceBeginning, subject } from './state.ts'

export function FilesPane({ shown }: { readonly shown: 'files' | 'changes' }) {
  const view = moment.value?.actor
  const stream = subject.value
  if (view && view.stream !== stream) return <p class="empty">Reading…</p>
  if (!view?.files) return <p class="empty">{missing(stream, view !== undefined && view !== null)}</p>
  return shown === 'files' ? (
    <Files stream={stream} files={view.files} />
  ) : (
    <Changes stream={stream} files={view.files} />
  )
}

function missing(stream: string, exists: boolean): string {
  if (!exists) return stream === '' ? 'No actor.' : `${stream} did not exist yet.`
  return stream.startsWith('agent/')
    ? `Up to this moment, no snapshot of the files of ${streamTitle(stream)} was saved.`
    : `${stream} is not an agent: only agents have files.`
}

interface Shown {
  readonly stream: string
  readonly files: FilesAt
}

function Files({ stream, files: { snapshot } }: Shown) {
  const at = moment.value?.position ?? 0
  const text = filesText.value
  const key = file.value
  const list = useAnswer('files', { actor: stream, at, text }, `${snapshot} ${text}`)
  const one = useAnswer('file', key === '' ? null : { actor: stream, at, key }, `${snapshot} ${key}`)
  const { total = 0, matching = 0, files = [] } = list.answer ?? {}
  return (
    <Split
      problem={list.problem}
      about={
        <p class="extent">
          {several(total, 'file')}
          <Found text={text} matching={matching} listed={files.length} />
        </p>
      }
      rows={files.map((line) => [line.key, line.path, kindAndSize(line)])}
      isReading={list.isReading || one.isReading}
      label={one.answer?.file?.path ?? 'The file'}
    >
      {key === '' ? <p class="empty">Choose a file to read it as it was at this moment.</p> : null}
      {one.problem !== '' && <p class="notice bad">{one.problem}</p>}
      {key !== '' && one.answer && one.problem === '' && <OneFile view={one.answer} />}
    </Split>
  )
}

function OneFile({ view: { file: line, text, moreBytes } }: { readonly view: FileView }) {
  if (!line) return <p class="empty">The file that was chosen did not exist at this moment.</p>
  return (
    <>
      <p class="about">
        <strong>{line.path}</strong> {kindAndSize(line)}
      </p>
      {line.kind === 'submodule' && <p class="empty">A submodule: its files are not saved.</p>}
      {line.kind !== 'submodule' && text === null && <p class="empty">Binary: it is not shown.</p>}
      {line.kind === 'link' && text !== null && <p class="empty">A link. It leads to:</p>}
      {text === '' && <p class="empty">The file is empty.</p>}
      {text !== null && text !== '' && <pre class="patch">{text}</pre>}
      {text !== null && moreBytes > 0 && <p class="empty">… and {size(moreBytes, 'bytes')} more.</p>}
    </>
  )
}

const kindAndSize = ({ kind, bytes }: FileLine): string =>
  kind === 'file' ? size(bytes, 'bytes') : kind === 'program' ? `${size(bytes, 'bytes')}, program` : kind

function Changes({ stream, files: { snapshot, changes } }: Shown) {
  const isAll = sinceBeginning.value
  const text = filesText.value
  const key = file.value
  const at = isAll ? moment.value?.position : changes
  const query = at === null || at === undefined ? null : { actor: stream, at, text, key, all: isAll ? 1 : '' }
  const asked = useAnswer('changes', query, `${isAll ? snapshot : changes} ${text} ${key}`)
  const found = query === null ? null : asked.answer
  const { files = [], matching = 0 } = found ?? {}
  return (
    <Split
      problem={asked.problem}
      about={
        <>
          <p class="extent">
            {query === null ? 'No turn has ended up to this moment.' : found && <Sum view={found} />}
            <Found text={text} matching={matching} listed={files.length} />
            {!isAll && changes !== null && changes !== moment.value?.position && (
              <>
                , at{' '}
                <button type="button" class="link" onClick={() => visitFact(changes)}>
                  {number(changes)}
                </button>
              </>
            )}
          </p>
          <button
            type="button"
            class="quiet toggle"
            aria-pressed={isAll}
            onClick={() => {
              sinceBeginning.value = !isAll
            }}
          >
            Since it began
          </button>
        </>
      }
      rows={files.map((line) => [line.key, line.path, statusAndLines(line)])}
      isReading={asked.isReading}
      label="The changes"
    >
      {found && asked.problem === '' && <Patch view={found} />}
    </Split>
  )
}

function statusAndLines({ status, added, removed }: ChangeLine): string {
  if (added === null || removed === null) return `${status}, binary or large`
  const lines = [added > 0 ? `+${number(added)}` : '', removed > 0 ? `−${number(removed)}` : '']
  return `${status} ${lines.join(' ')}`.trim()
}

const TITLES: Readonly<Record<ChangesView['by'], string>> = {
  turn: 'Turn',
  call: 'This call',
  hand: 'By hand, before this call',
  undo: 'Undone',
  failure: 'Taken back, because the call did not end well',
  fork: 'From the agent that it was forked from',
  landing: 'What its branch is to land on, merged in',
  all: 'Since it began',
}

function Sum({ view: { by, turn, total, added, removed } }: { readonly view: ChangesView }) {
  const title = turn === null ? TITLES[by] : `${TITLES[by]} ${number(turn)}`
  const lines = total === 0 ? '' : `, +${number(added)} −${number(removed)}`
  return `${title}: ${total === 0 ? 'nothing' : several(total, 'file')}${lines}`
}

function Patch({ view: { total, only, patch, moreLines, isMore } }: { readonly view: ChangesView }) {
  if (total === 0) return <p class="empty">Nothing was changed.</p>
  return (
    <>
      {only !== null && (
        <p class="about">
          <button
            type="button"
            class="link"
            onClick={() => {
              file.value = ''
            }}
          >
            Show all files
          </button>
        </p>
      )}
      <PatchText lines={patch} />
      {moreLines > 0 && (
        <p class="empty">
          … and {isMore ? 'more than ' : ''}
          {several(moreLines, 'more line')}.
        </p>
      )}
    </>
  )
}

/** What of a list matches, and what of it is listed. */
function Found({
  text,
  matching,
  listed,
}: {
  readonly text: string
  readonly matching: number
  readonly listed: number
}) {
  return `${text === '' ? '' : `, ${number(matching)} match`}${
    matching > listed ? `, the first ${number(listed)} are listed: search for others` : ''
  }`
}

interface SplitProps {
  readonly problem: string
  readonly about: ComponentChildren
  readonly rows: readonly (readonly [key: string, path: string, about: string])[]
  readonly isReading: boolean
  /** What is read. */
  readonly label: string
  readonly children: ComponentChildren
}

/** A list of files, and beside it what one reads of them. */
function Split({ problem, about, rows, isReading, label, children }: SplitProps) {
  const list = useRef<HTMLUListElement>(null)
  const keys = rows.map(([key]) => key).join(' ')
  useEffect(() => {
    listedFiles.value = keys === '' ? [] : keys.split(' ')
    return () => {
      listedFiles.value = []
    }
  }, [keys])
  useEffect(() => {
    const chosen = list.current?.querySelector<HTMLElement>('[aria-pressed=true]')
    chosen?.scrollIntoView({ block: 'nearest' })
    if (list.current?.contains(document.activeElement)) chosen?.focus()
  }, [keys, file.value])
  const current = rows.some(([key]) => key === file.value) ? file.value : rows[0]?.[0]
  return (
    <>
      <div class="files-about">
        <label>
          <span class="hidden">Find a file</span>
          <input
            type="search"
            placeholder="Find a file"
            value={filesText.value}
            onInput={({ currentTarget }) => {
              filesText.value = currentTarget.value.trim()
            }}
          />
        </label>
        {about}
      </div>
      {problem !== '' && <p class="notice bad">{problem}</p>}
      <div class="split">
        <ul class="scroll" aria-label="Files" ref={list}>
          {rows.map(([key, path, more]) => (
            <li key={key}>
              {/* Only one of them is reached with Tab; j and k lead to the others. */}
              <button
                type="button"
                class="path"
                aria-pressed={key === file.value}
                tabIndex={key === current ? 0 : -1}
                onClick={() => {
                  file.value = key === file.value ? '' : key
                }}
              >
                <span class="name">{path}</span> <span class="more">{more}</span>
              </button>
            </li>
          ))}
        </ul>
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: it is scrolled with the keys */}
        <section class="scroll reader" tabIndex={0} aria-label={label} aria-busy={isReading}>
          {children}
        </section>
      </div>
    </>
  )
}

/** The answer to a query, which is asked again when what it is `about` changes; null asks nothing. */
function useAnswer<What extends 'files' | 'file' | 'changes'>(
  what: What,
  query: Query | null,
  about: string,
) {
  const [answered, setAnswered] = useState<{
    readonly about: string
    readonly answer: Answers[What] | null
    readonly problem: string
  }>({ about: '', answer: null, problem: '' })
  useEffect(() => {
    if (query === null) return
    const leaving = new AbortController()
    ask(what, query, leaving.signal).then(
      (answer) => setAnswered({ about, answer, problem: answer.problem ?? '' }),
      (error: Error) => {
        if (!leaving.signal.aborted) setAnswered({ about, answer: null, problem: error.message })
      },
    )
    return () => leaving.abort()
  }, [about, query === null])
  return { ...answered, isReading: query !== null && answered.about !== about }
}
