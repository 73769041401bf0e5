/** The top bar with search, filters, following, theme and help; and the notices below it. */
import type { AccountView } from '../view.ts'
import { Icon } from './icons.tsx'
import {
  clearFilter,
  connected,
  filtered,
  following,
  goTo,
  head,
  helpOpen,
  indexed,
  moment,
  names,
  problem,
  stream,
  text,
  toggleFollowing,
  type,
} from './state.ts'
import { nextTheme, theme } from './theme.ts'
import { minute, number } from './words.ts'

/** Debounces the search: each keystroke would start one. */
const TYPING_MS = 200
let typing: ReturnType<typeof setTimeout> | undefined

export function TopBar() {
  return (
    <header class="top">
      <h1>
        <img src="/icon.svg" alt="" width="20" height="20" />
        Inspector
      </h1>
      <search class="filters">
        <label class="search">
          <Icon name="search" />
          <span class="hidden">Search in facts</span>
          <input
            id="search"
            type="search"
            placeholder="Search in facts   /"
            value={text.value}
            onInput={({ currentTarget }) => {
              const { value } = currentTarget
              clearTimeout(typing)
              typing = setTimeout(() => {
                text.value = value.trim()
              }, TYPING_MS)
            }}
            onKeyDown={({ key, currentTarget }) => {
              if (key === 'Escape' || key === 'Enter') currentTarget.blur()
            }}
          />
        </label>
        <select
          aria-label="Type"
          value={type.value}
          onChange={({ currentTarget }) => {
            type.value = currentTarget.value
          }}
        >
          <option value="">All types</option>
          <option value="problems">Problems</option>
          {names.value.types.map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
        <select
          aria-label="Stream"
          value={stream.value}
          onChange={({ currentTarget }) => {
            stream.value = currentTarget.value
          }}
        >
          <option value="">All streams</option>
          {names.value.streams.map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
        {filtered.value && (
          <button type="button" class="quiet" onClick={clearFilter}>
            Clear
          </button>
        )}
      </search>
      <Reading />
      <button
        type="button"
        class="follow"
        aria-pressed={following.value}
        onClick={toggleFollowing}
        title="Follow the log (space)"
      >
        <span class={connected.value ? 'light' : 'light off'} />
        {connected.value ? 'Live' : 'Offline'}
      </button>
      <button type="button" class="quiet round" onClick={nextTheme} title={`Theme: ${theme.value} (t)`}>
        <Icon name={theme.value === 'dark' ? 'moon' : theme.value === 'light' ? 'sun' : 'system'} />
        <span class="hidden">Theme: {theme.value}</span>
      </button>
      <button
        type="button"
        class="quiet round"
        onClick={() => {
          helpOpen.value = true
        }}
        title="Help (?)"
      >
        <Icon name="help" />
        <span class="hidden">Help</span>
      </button>
    </header>
  )
}

/** The progress of indexing: a long log is shown while it is still being read. */
function Reading() {
  if (indexed.value >= head.value) return null
  return (
    <p class="reading">
      Reading {number(indexed.value)} of {number(head.value)}
      <progress max={head.value} value={indexed.value} aria-label="Reading the log" />
    </p>
  )
}

/** How far the limits of an account are used, and when they reset. */
function Account({ account, windows, waitsUntil, said }: AccountView) {
  const facts = [
    ...windows.map(({ name, status, utilization, resetsAt }) => {
      const used = utilization === null ? status : `${Math.round(utilization * 100)}% used`
      return `${name} ${used}${resetsAt === null ? '' : `, resets ${minute(resetsAt)}`}`
    }),
    ...(waitsUntil === null ? [] : [`waits until ${minute(waitsUntil)}`]),
    ...(said === null ? [] : [`held: ${said}`]),
  ]
  return (
    <p class={waitsUntil === null && said === null ? 'notice' : 'notice bad'}>
      {account}: {facts.join('; ') || 'open'}
    </p>
  )
}

export function Notices() {
  const log = moment.value?.log
  const broken = log?.broken ?? []
  return (
    <div class="notices" aria-live="polite">
      {moment.value?.accounts.map((account) => (
        <Account key={account.account} {...account} />
      ))}
      {problem.value !== '' && <p class="notice bad">{problem.value}</p>}
      {broken.length > 0 && (
        <p class="notice bad">
          {broken.length === 1
            ? 'One record of the log cannot be read'
            : `${broken.length} records of the log cannot be read`}
          {'; everything before and after is shown. '}
          {broken.slice(0, 5).map(({ position }) => (
            <button type="button" class="link" key={position} onClick={() => goTo(position)}>
              {number(position)}
            </button>
          ))}
        </p>
      )}
    </div>
  )
}
