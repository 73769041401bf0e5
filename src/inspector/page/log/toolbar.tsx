/** The filters of the log, and whether the page follows its end. */
import { Icon } from '../shell/icons.tsx'
import { actor, clearFilter, filtered, following, names, text, toggleFollowing, type } from './state.ts'

/** Debounces the search: each keystroke would start one. */
const TYPING_MS = 200
let typing: ReturnType<typeof setTimeout> | undefined

export function Toolbar() {
  return (
    <div class="toolbar">
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
          value={actor.value}
          onChange={({ currentTarget }) => {
            actor.value = currentTarget.value
          }}
        >
          <option value="">All streams</option>
          {actor.value !== '' && !names.value.streams.includes(actor.value) && (
            <option value={actor.value}>{actor.value}</option>
          )}
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
      <button
        type="button"
        class="follow"
        aria-pressed={following.value}
        onClick={toggleFollowing}
        title="Follow the log (space)"
      >
        <span class={following.value ? 'light on' : 'light'} />
        Live
      </button>
    </div>
  )
}
