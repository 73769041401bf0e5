/** The page: what all pages have in common above, and the one that the address names below. */
import type { ComponentType } from 'preact'
import { useEffect } from 'preact/hooks'
import type { PageName } from '../../addresses.ts'
import { Confirm } from '../acts/confirm.tsx'
import { AgentPage } from '../conversation/agent-page.tsx'
import { InboxPage } from '../inbox/inbox-page.tsx'
import { AgentsPage, RunsPage } from '../lists/lists.tsx'
import { LogPage } from '../log/log-page.tsx'
import { OverviewPage } from '../overview/overview-page.tsx'
import { RunPage } from '../run/run-page.tsx'
import { SearchPage } from '../search/search-page.tsx'
import { Help } from './help.tsx'
import { Notices } from './notices.tsx'
import { usePageTitle } from './page-title.ts'
import { shownPage, visitedUrl } from './router.ts'
import { TopBar } from './top-bar.tsx'

/** A new page needs its address in `addresses.ts` and a line here. */
const PAGES: Readonly<Record<PageName, ComponentType<{ readonly id: string }>>> = {
  overview: OverviewPage,
  inbox: InboxPage,
  runs: RunsPage,
  run: RunPage,
  agents: AgentsPage,
  agent: AgentPage,
  log: LogPage,
  fact: LogPage,
  search: SearchPage,
}

export function App() {
  const { page, id } = shownPage.value ?? { page: null, id: '' }
  const Page = page ? PAGES[page] : NoPage
  // The log moves from fact to fact, and stays.
  const isLog = page === 'log' || page === 'fact'
  useFocusOnArrival()
  return (
    <div class={isLog ? 'page fixed' : 'page'}>
      <a class="skip" href="#main">
        Skip to the content
      </a>
      <TopBar />
      <Notices />
      <main id="main" tabIndex={-1} class={isLog ? 'log-page' : 'reading-page'}>
        <Page key={isLog ? 'log' : `${page} ${id}`} id={id} />
      </main>
      <Confirm />
      <Help />
    </div>
  )
}

function NoPage() {
  usePageTitle('Not found')
  return (
    <section class="card sheet">
      <h1>Nothing is at this address</h1>
      <p>
        <a class="link" href="/">
          Go to the overview
        </a>
      </p>
    </section>
  )
}

/** Keyboards and screen readers begin with the content of a place, not with the link that led there. */
function useFocusOnArrival(): void {
  const path = visitedUrl.value.pathname
  useEffect(() => {
    if (arrivals++ > 0 && !path.startsWith('/fact/'))
      document.getElementById('main')?.focus({ preventScroll: true })
  }, [path])
}

let arrivals = 0
