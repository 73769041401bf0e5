/** The page in a real browser, as used to find out what went wrong. */
import type { Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import { OverloadedError, RefusedError } from '../../src/events/errors/call.ts'
import { until } from '../actors/world.ts'
import { isLong } from '../repetitions.ts'
import { CHROMIUM, openPage, screenshot } from './browser.ts'
import { inspected, review, team } from './team.ts'

const title = CHROMIUM === undefined ? 'the page (skipped: no Chromium found, see CHROMIUM_PATH)' : 'the page'

const shown = {
  position: (page: Page) => page.locator('.where strong'),
  type: (page: Page) => page.locator('.fact-card h2'),
  active: (page: Page) => page.locator('.chart .state.active'),
  status: (page: Page, agent: string) =>
    page.locator('.actor', { has: page.getByText(agent, { exact: true }) }).locator('.status'),
}

/** Drags the slider with the mouse: press, move, release. */
async function dragTo(page: Page, position: number, head: number): Promise<void> {
  const box = await page.getByRole('slider').boundingBox()
  if (!box) throw new Error('there is no slider')
  const at = (where: number) => box.x + 7 + ((where - 1) / (head - 1)) * (box.width - 14)
  const middle = box.y + box.height / 2
  await page.mouse.move(at(head), middle)
  await page.mouse.down()
  await page.mouse.move(at((head + position) / 2), middle, { steps: 4 })
  await page.mouse.move(at(position), middle, { steps: 4 })
  await page.mouse.up()
}

describe.skipIf(CHROMIUM === undefined)(title, () => {
  test('shows a workflow that failed and was resumed, at every moment of it', async () => {
    let refused = false
    const { orchestrator, store, url, positionOf } = await inspected(team, ({ agent, attempt }) => {
      if (agent === 'performance' && attempt === 1) return new OverloadedError()
      if (agent === 'lead' && !refused) {
        refused = true
        return new RefusedError()
      }
      return { text: `The review of ${agent}.`, costUsd: 0.02 }
    })
    expect((await orchestrator.run(review, 'let total = 0', { id: 'r1', name: 'code review' })).success).toBe(
      false,
    )
    expect((await orchestrator.runs.resume('r1', review)).success).toBe(true)
    const head = await store.head()
    const page = await openPage(url)

    // It opens at the end of the log.
    await shown.position(page).getByText(String(head), { exact: true }).waitFor()
    expect(await shown.type(page).innerText()).toBe('RunSucceeded')
    expect(await shown.active(page).getAttribute('data-state')).toBe('succeeded')
    await screenshot(page, 'end')

    // The arrow keys step through the facts.
    await page.keyboard.press('ArrowLeft')
    await shown.type(page).getByText('StepSucceeded').waitFor()
    await page.keyboard.press('Home')
    await shown.type(page).getByText('AgentCreated').waitFor()
    expect(await page.locator('.actor').count()).toBe(1)
    await page.keyboard.press('ArrowRight')
    await shown.position(page).getByText('2', { exact: true }).waitFor()

    // The slider moves to the failure, and everything shows the state at that time.
    const failure = await positionOf('RunFailed')
    await dragTo(page, failure, head)
    await shown.type(page).getByText('RunFailed').waitFor()
    expect(await shown.position(page).innerText()).toBe(String(failure))
    expect(await shown.active(page).getAttribute('data-state')).toBe('failed')
    expect(await shown.status(page, 'r1').innerText()).toBe('failed')
    expect(await page.locator('.fact-card').innerText()).toContain('RefusedError')
    await page.getByRole('button', { name: 'Steps', exact: true }).click()
    expect(await page.locator('.steps-of').innerText()).toMatch(/lead[\s\S]*RefusedError/)
    await screenshot(page, 'failure')

    // A key steps from problem to problem, each with its error and the state before it.
    await page.keyboard.press('Home')
    await page.keyboard.press('e')
    await shown.type(page).getByText('CallFailed').waitFor()
    await page.getByRole('button', { name: 'Chart', exact: true }).click()
    expect(await page.locator('.fact-card').innerText()).toContain('OverloadedError')
    expect(await shown.active(page).getAttribute('data-state')).toBe('busy')
    await page.keyboard.press('ArrowRight')
    await shown.type(page).getByText('RetryScheduled').waitFor()
    expect(await shown.active(page).getAttribute('data-state')).toBe('retry')
    expect(await shown.status(page, 'performance').innerText()).toBe('retry')
    await page.getByRole('button', { name: 'Sessions', exact: true }).click()
    await page.locator('.sessions .outcome.is-failed').waitFor()
    await screenshot(page, 'retry')
  })

  test('filters by text, type and stream, and the keys step through the matches', async () => {
    const { orchestrator, url, positionOf } = await inspected(
      ['a', 'b'],
      ({ agent }) => `a needle of ${agent}`,
    )
    await orchestrator.sendTask('a', 'first')
    await orchestrator.sendTask('b', 'second')
    const page = await openPage(url)
    await page.keyboard.press('/')
    await page.keyboard.type('NEEDLE of b')
    await page.getByText('1 match').waitFor()
    await page.keyboard.press('Enter')
    await page.keyboard.press('Home')
    await page.keyboard.press('ArrowRight')
    await shown
      .position(page)
      .getByText(String(await positionOf('CallSucceeded', 'agent/b')), { exact: true })
      .waitFor()
    await page.keyboard.press('Escape')
    await page.getByLabel('Type').selectOption('TaskAccepted')
    await page.getByText('2 match').waitFor()
    await page.getByLabel('Stream').selectOption('agent/a')
    await page.getByText('1 match').waitFor()
    expect(await page.locator('.fact .brief').allInnerTexts()).toEqual(['first'])
  })

  test('follows a running workflow until the user moves back in time', async () => {
    const answers: (() => void)[] = []
    const { orchestrator, url } = await inspected(team, async ({ agent }) => {
      await new Promise<void>((resolve) => answers.push(resolve))
      return `by ${agent}`
    })
    const answered = async (count: number) => {
      await until(() => answers.length >= count)
      for (const answer of answers.splice(0)) answer()
    }
    const running = orchestrator.run(review, 'go', { id: 'live' })
    const page = await openPage(url, { dark: true })
    await shown.status(page, 'security').getByText('busy').waitFor()
    await shown.status(page, 'live').getByText('running').waitFor()
    await screenshot(page, 'live')
    await answered(2)
    await shown.status(page, 'lead').getByText('busy').waitFor()
    expect(await shown.status(page, 'security').innerText()).toBe('idle')

    await page.keyboard.press('Space')
    const where = await shown.position(page).innerText()
    await answered(1)
    await running
    await page.locator('.where').getByText('of').waitFor()
    expect(await shown.position(page).innerText()).toBe(where)
    expect(await shown.status(page, 'live').innerText()).toBe('running')
    await page.keyboard.press('Space')
    await shown.status(page, 'live').getByText('succeeded').waitFor()
  })

  test('shows hostile output as text, of any length', async () => {
    const script = '<script>document.title = "owned"; alert(1)</script><img src=x onerror="alert(2)">'
    const hidden = '\u001b[31mred\u001b[0m \u202Egnp.exe'
    const line = 'x'.repeat(1024 * 1024)
    const { orchestrator, url } = await inspected(['a'], ({ prompt }) =>
      prompt === 'long' ? line : `${script} ${hidden}`,
    )
    await orchestrator.sendTask('a', script)
    const page = await openPage(url)
    expect(await page.locator('.fact-card').innerText()).toContain(script)
    expect(await page.locator('.fact-card').innerText()).toContain('\\x1b[31mred')
    expect(await page.locator('.fact-card').innerText()).toContain('\\u202egnp.exe')
    expect(await page.title()).toBe('claude-agents inspector')
    expect(await page.locator('img[src=x]').count()).toBe(0)

    await orchestrator.sendTask('a', 'long')
    await page.getByRole('button', { name: /Show the whole text/ }).click()
    await page.getByRole('button', { name: /Show more \(.* left\)/ }).waitFor()
    expect((await page.locator('.fact-card pre').first().innerText()).length).toBe(100_000)
    await page.keyboard.press('Home')
    await shown.type(page).getByText('AgentCreated').waitFor()
    await screenshot(page, 'hostile')
  })

  test('scrolls a log of any length with as many rows as are seen', async () => {
    const facts = isLong ? 100_000 : 20_000
    const { store, url } = await inspected([], () => '')
    const batch = Array.from({ length: 1000 }, () => ({ type: 'Counted', v: 1, data: {} }))
    for (let written = 0; written < facts; written += batch.length) await store.append('counter/c', batch)
    const page = await openPage(url)
    const list = page.getByRole('listbox', { name: 'Facts' })
    for (const share of [0, 0.37, 0.5, 0.99, 1]) {
      const seen = Math.max(1, Math.round(facts * share) - 3)
      // It grows as long as the log is being read.
      const isSeen = async () => {
        await list.evaluate((element, part) => {
          element.scrollTop = part * (element.scrollHeight - element.clientHeight)
        }, share)
        return list.locator(`#fact-${seen}`).isVisible()
      }
      await expect.poll(isSeen).toBe(true)
      expect(await list.locator('.fact').count()).toBeLessThan(60)
    }
  })

  test('refuses a wrong key', async () => {
    const { orchestrator, url } = await inspected(['a'], () => 'secret')
    await orchestrator.sendTask('a', 'x')
    const page = await openPage(url)
    const answered = await page.context().browser()?.newPage()
    await answered?.goto(url.replace(/token=.*/, 'token=guess'))
    expect(await answered?.locator('body').innerText()).toContain(
      'Open the URL that claude-agents inspect printed',
    )
    await answered?.close()
    // The address bar does not show the key.
    expect(page.url()).not.toContain('token')
  })
})
