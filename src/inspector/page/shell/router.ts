/** The address bar: it always names what the page shows, so a reload keeps the place, and back leads to the one before. */
import { computed, signal } from '@preact/signals'
import { pageAt } from '../../addresses.ts'

/** Where the user went last, by a link or through the history of the browser. */
const visited = signal(new URL(location.href))

/** The page that is shown; null for an address that names none. */
export const shownPage = computed(() => pageAt(visited.value.pathname))

/** A parameter of the address; empty if it has none. */
export const parameter = (name: string): string => visited.value.searchParams.get(name) ?? ''

/** The whole address: it is another one after each visit, even of the same place. */
export const visitedUrl = computed(() => visited.value)

/** Goes to a place, as a link does. */
export function visit(address: string): void {
  settle()
  const before = shownPage.peek()?.page
  history.pushState(null, '', address)
  arrive()
  if (shownPage.peek()?.page !== before) window.scrollTo(0, 0)
}

/** The shortest time between two changes of the address: browsers refuse more. */
const SETTLING_MS = 250
let settling: ReturnType<typeof setTimeout> | undefined
let next = ''

/** Notes that the page shows another place, as when a slider moves: no visit, so back does not lead through it. */
export function noteAddress(address: string): void {
  next = address
  settling ??= setTimeout(settle, SETTLING_MS)
}

function settle(): void {
  clearTimeout(settling)
  settling = undefined
  if (next !== '' && next !== location.pathname + location.search) history.replaceState(null, '', next)
  next = ''
}

function arrive(): void {
  visited.value = new URL(location.href)
}

export function listenToAddress(): void {
  // The cookie carries the key now: remove it from the address, where a screenshot would show it.
  const { pathname, searchParams } = new URL(location.href)
  searchParams.delete('token')
  history.replaceState(null, '', addressOf(pathname, Object.fromEntries(searchParams)))
  arrive()
  window.addEventListener('popstate', () => {
    // What was to be noted belongs to the place that was left.
    next = ''
    arrive()
  })
  window.addEventListener('pagehide', settle)
  document.addEventListener('click', (event) => {
    if (event.defaultPrevented || event.button !== 0) return
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return
    const link = event.target instanceof Element ? event.target.closest('a') : null
    if (link?.target !== '' || link.hash !== '' || link.origin !== location.origin || !pageAt(link.pathname))
      return
    event.preventDefault()
    visit(link.pathname + link.search)
  })
}

/** An address without its empty parameters. */
export function addressOf(path: string, parameters: Readonly<Record<string, string | number>> = {}): string {
  const given = Object.entries(parameters).filter(([, value]) => value !== '')
  const query = new URLSearchParams(given.map(([name, value]) => [name, String(value)]))
  return given.length === 0 ? path : `${path}?${query}`
}
