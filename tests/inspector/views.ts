/** Everything that the inspector shows of the shop: the views of each of its pages, by address. */
import type { Page } from 'playwright-core'
import type { PageName } from '../../src/inspector/addresses.ts'
import type { shop } from './shop.ts'

export interface View {
  /** Names its pictures. */
  readonly name: string
  readonly address: string
  /** What is there once it is shown. */
  readonly sign: string
  /** What a user does next. */
  readonly next?: (page: Page) => Promise<unknown>
  /** The picture of it in the documentation. */
  readonly docs?: string
}

type Shop = Awaited<ReturnType<typeof shop>>

/** A new page needs its views here. */
export async function viewsOf({
  positionOf,
}: Shop): Promise<Readonly<Record<PageName | 'nothing', readonly View[]>>> {
  const failure = await positionOf('RunFailed', 'run/review-5')
  const answer = await positionOf('CallSucceeded', 'agent/builder')
  const open = (page: Page) => page.locator('.step').first().click()
  return {
    overview: [{ name: 'overview', address: '/', sign: '.lines a', docs: 'inspector-overview' }],
    inbox: [
      { name: 'inbox', address: '/inbox', sign: '.entry .patch', docs: 'inspector-inbox' },
      {
        ...{ name: 'inbox-form', address: '/inbox', sign: '.entry .patch' },
        next: async (page) => {
          await page.locator('[data-entry^="question:"] .offer').first().click()
          await page.locator('dialog.form .confirm:enabled').waitFor()
        },
      },
    ],
    runs: [
      { name: 'runs', address: '/runs', sign: '.rows-of a' },
      { name: 'runs-failed', address: '/runs?status=failed', sign: '.rows-of a' },
      { name: 'runs-none', address: '/runs?text=nothing+like+it', sign: '.empty' },
    ],
    agents: [{ name: 'agents', address: '/agents', sign: '.rows-of a' }],
    run: [
      {
        ...{ name: 'run', address: '/run/review-3', sign: '.step .brief:not(:empty)', next: open },
        docs: 'inspector-run',
      },
      {
        ...{ name: 'run-tree', address: '/run/review-3', sign: '.step .brief:not(:empty)' },
        next: (page) => page.getByRole('button', { name: 'As a tree' }).click(),
      },
      { name: 'run-failed', address: '/run/review-5', sign: '.step .brief:not(:empty)' },
      { name: 'run-running', address: '/run/watch', sign: '.step .brief:not(:empty)' },
      { name: 'run-long', address: '/run/manual', sign: '.step .brief:not(:empty)' },
      { name: 'run-missing', address: '/run/nothing', sign: '.empty' },
    ],
    agent: [
      { name: 'agent', address: '/agent/lead', sign: '.turn' },
      { name: 'agent-held', address: '/agent/builder', sign: '.turn .tools' },
      {
        name: 'agent-files',
        address: '/agent/builder',
        sign: '.changed',
        next: openAll('.changed, .fork, .config'),
      },
      {
        ...{ name: 'agent-messages', address: '/agent/writer', sign: '.turn', docs: 'inspector-agent' },
        next: openAll('.fork'),
      },
      { name: 'agent-missing', address: '/agent/nobody', sign: '.empty' },
    ],
    log: [
      { name: 'log', address: '/log', sign: '.fact .type' },
      { name: 'log-actor', address: '/log?actor=run%2Freview-5&view=history', sign: '.fact .type' },
      { name: 'log-none', address: '/log?text=nothing+like+it', sign: '.fact-card h2' },
    ],
    fact: [
      { name: 'fact', address: `/fact/${failure}`, sign: '.fact-card h2', docs: 'inspector' },
      {
        name: 'fact-files',
        address: `/fact/${answer}?actor=agent%2Fbuilder&show=files`,
        sign: '.path',
        next: (page) => page.locator('.path', { hasText: 'cart.ts' }).last().click(),
      },
      {
        name: 'fact-changes',
        docs: 'inspector-changes',
        address: `/fact/${answer}?actor=agent%2Fbuilder&show=changes&view=state`,
        sign: '.patch',
      },
      {
        name: 'fact-sessions',
        address: `/fact/${answer}?actor=agent%2Fperformance&view=history`,
        sign: '.sessions',
      },
    ],
    search: [
      { name: 'search', address: '/search?q=cart', sign: 'mark' },
      { name: 'search-none', address: '/search?q=nothing+like+it', sign: '.empty' },
    ],
    nothing: [
      { name: 'nothing', address: '/nothing', sign: 'h1' },
      {
        ...{ name: 'keys', address: '/', sign: '.lines a' },
        next: async (page) => {
          await page.keyboard.press('?')
          await page.locator('dialog[open]').waitFor()
        },
      },
    ],
  }
}

const openAll = (selector: string) => (page: Page) =>
  page.locator(selector).evaluateAll((found) => {
    for (const details of found) details.setAttribute('open', '')
  })

export const WIDTHS = [390, 820, 1440] as const
export const THEMES = ['light', 'dark'] as const
