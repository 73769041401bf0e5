/** The top bar of every place: where one can go, search, and the theme. */
import type { PageName } from '../../addresses.ts'
import { number } from '../parts/words.ts'
import { Icon } from './icons.tsx'
import { addressOf, parameter, shownPage, visit } from './router.ts'
import { connected, head, helpOpen, inboxCount, indexed } from './state.ts'
import { nextTheme, theme } from './theme.ts'

const LINKS: readonly (readonly [
  address: string,
  label: string,
  icon: Parameters<typeof Icon>[0]['name'],
  pages: readonly PageName[],
])[] = [
  ['/', 'Overview', 'home', ['overview']],
  ['/inbox', 'Inbox', 'inbox', ['inbox']],
  ['/runs', 'Runs', 'run', ['runs', 'run']],
  ['/agents', 'Agents', 'agent', ['agents', 'agent']],
  ['/log', 'Log', 'log', ['log', 'fact']],
]

export function TopBar() {
  const { page = null } = shownPage.value ?? {}
  return (
    <header class="top">
      <a class="brand" href="/" aria-label="Inspector: overview">
        <img src="/icon.svg" alt="" width="20" height="20" />
        <span>Inspector</span>
      </a>
      <nav class="places" aria-label="Places">
        {LINKS.map(([address, label, icon, pages]) => (
          <a
            key={address}
            href={address}
            aria-current={
              page !== null && pages.includes(page) ? (pages[0] === page ? 'page' : 'true') : undefined
            }
          >
            <Icon name={icon} />
            {label}
            {address === '/inbox' && (inboxCount.value ?? 0) > 0 && (
              <span class="count">
                {number(inboxCount.value ?? 0)}
                <span class="hidden"> waiting</span>
              </span>
            )}
          </a>
        ))}
      </nav>
      <search>
        <form
          class="search"
          onSubmit={(event) => {
            event.preventDefault()
            const typed = new FormData(event.currentTarget).get('q')
            visit(addressOf('/search', { q: String(typed ?? '').trim() }))
          }}
        >
          <Icon name="search" />
          <label class="hidden" for="find">
            Search in prompts and answers
          </label>
          <input
            id="find"
            name="q"
            type="search"
            placeholder="Search"
            maxLength={200}
            defaultValue={parameter('q')}
            key={parameter('q')}
          />
        </form>
      </search>
      <Reading />
      <span
        class="connection"
        role="status"
        title={connected.value ? 'Connected to the server' : 'The server does not answer'}
      >
        <span class={connected.value ? 'light on' : 'light off'} />
        <span class="hidden">{connected.value ? 'Connected' : 'Offline'}</span>
      </span>
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
        title="Keys (?)"
      >
        <Icon name="help" />
        <span class="hidden">Keys</span>
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
