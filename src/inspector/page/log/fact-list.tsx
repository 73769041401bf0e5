/** The list of facts, of any length: only visible rows are on the page, and they are fetched by the hundred. */
import { computed, signal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import type { FactLine } from '../../view.ts'
import { clock, number } from '../parts/words.ts'
import { ask, latest } from '../shell/ask.ts'
import { head } from '../shell/state.ts'
import { visitFact } from './address.ts'
import { filter, filtered, moment, position } from './state.ts'

const ROW = 27
const PAGE = 100
const CACHED_PAGES = 40
/** Rows rendered above and below the visible ones. */
const MARGIN = 8

const top = signal(0)
const height = signal(400)
const total = signal(0)
const searchedTo = signal(0)
const pages = signal<ReadonlyMap<number, readonly FactLine[]>>(new Map())
let pagesOf = filter.peek()

const firstRow = () => Math.max(0, Math.floor(top.peek() / ROW) - MARGIN)
const rowCount = () => Math.ceil(height.peek() / ROW) + 2 * MARGIN

const load = latest(async () => {
  // The list's position is not known yet.
  if (moment.peek() === null) return
  const current = filter.peek()
  if (current !== pagesOf) {
    pagesOf = current
    pages.value = new Map()
  }
  const first = Math.floor(firstRow() / PAGE)
  const last = Math.floor((firstRow() + rowCount()) / PAGE)
  for (let page = first; page <= last; page++) {
    const known = pages.peek().get(page)
    if (known?.length === PAGE) continue
    try {
      const found = await ask('facts', { offset: page * PAGE, limit: PAGE, ...current })
      if (current !== filter.peek()) return
      total.value = found.total
      searchedTo.value = found.searchedTo
      const kept = [...pages.peek()].slice(-CACHED_PAGES)
      pages.value = new Map([...kept, [page, found.lines]])
    } catch {
      // Loading the moment fails in the same way, and shows the problem.
      return
    }
  }
  // Each request searches one piece of the log.
  if (filtered.peek() && searchedTo.peek() < head.peek()) setTimeout(load, 20)
})

export function FactList() {
  const list = useRef<HTMLDivElement>(null)
  const rows = filtered.value ? total.value : head.value
  const ordinal = moment.value?.ordinal ?? -1

  useEffect(() => {
    const element = list.current
    if (!element) return
    // It may have been here before.
    element.scrollTop = top.peek()
    const observer = new ResizeObserver(() => {
      height.value = element.clientHeight
    })
    observer.observe(element)
    return () => observer.disconnect()
  }, [])
  useEffect(load, [filter.value, head.value, top.value, height.value, rows, ordinal < 0])
  useEffect(() => {
    const element = list.current
    if (!element || ordinal < 0) return
    const [begin, end] = [ordinal * ROW, (ordinal + 1) * ROW]
    if (begin >= element.scrollTop && end <= element.scrollTop + element.clientHeight) return
    element.scrollTop = Math.max(0, begin - element.clientHeight / 2)
  }, [ordinal, rows, filter.value, height.value])

  const first = firstRow()
  const count = Math.max(0, Math.min(rows - first, rowCount()))
  void top.value
  return (
    <>
      <div
        class="scroll"
        ref={list}
        tabIndex={0}
        role="listbox"
        hidden={rows === 0}
        aria-label="Facts"
        {...(isOnPage(ordinal, first, count) ? { 'aria-activedescendant': `fact-${position.value}` } : {})}
        onScroll={({ currentTarget }) => {
          top.value = currentTarget.scrollTop
        }}
      >
        <div class="rows" style={{ height: `${rows * ROW}px` }}>
          {Array.from({ length: count }, (_, index) => {
            const row = first + index
            const line = pages.value.get(Math.floor(row / PAGE))?.[row % PAGE]
            return <Row key={row} row={row} line={line} />
          })}
        </div>
      </div>
      {rows === 0 && <p class="empty">{filtered.value ? 'Nothing matches.' : 'The log is empty.'}</p>}
    </>
  )
}

const isOnPage = (row: number, first: number, count: number) =>
  row >= first &&
  row < first + count &&
  pages.value.get(Math.floor(row / PAGE))?.[row % PAGE]?.position === position.value

/** How many facts there are, or match. */
export const factExtent = computed(() => {
  if (!filtered.value) return number(head.value)
  const searched =
    searchedTo.value < head.value ? `, searched ${number(searchedTo.value)} of ${number(head.value)}` : ''
  return `${number(total.value)} match${searched}`
})

function Row({ row, line }: { readonly row: number; readonly line: FactLine | undefined }) {
  const style = { transform: `translateY(${row * ROW}px)` }
  if (!line) return <div class="fact pending" style={style} />
  const { position: at, stream, label, type, tone, brief, change, problem } = line
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the keys of the page move through the facts
    <div
      class="fact"
      id={`fact-${at}`}
      role="option"
      tabIndex={-1}
      aria-selected={at === position.value}
      style={style}
      onClick={() => visitFact(at)}
    >
      <span class="at">{number(at)}</span>
      <time>{clock(line.at)}</time>
      <span class="stream" title={stream}>
        {label}
      </span>
      <span class={`type tone-${tone}`}>{type}</span>
      <span class="brief">
        {change && (
          <b class="change">
            {change[0]} → {change[1]}
          </b>
        )}
        {problem ?? brief}
      </span>
    </div>
  )
}
