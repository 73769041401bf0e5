/** The files of an agent on the page, in a real browser. */
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import { CHROMIUM, openPage, screenshot } from './browser.ts'
import { agentOnRepository, inspecting } from './repository.ts'

const title = CHROMIUM === undefined ? 'the page (skipped: no Chromium found, see CHROMIUM_PATH)' : 'the page'

const listed = (page: Page) => page.locator('.path .name')
const reader = (page: Page) => page.locator('.reader')
const type = (page: Page) => page.locator('.fact-card h2')

describe.skipIf(CHROMIUM === undefined)(title, () => {
  test('shows the files at the position of the slider, and what a turn has changed', async () => {
    const { orchestrator, agent, positionsOf } = await agentOnRepository({
      one: (workspace) => writeFile(join(workspace, 'b.txt'), 'first text\n'),
      async two(workspace) {
        await writeFile(join(workspace, 'b.txt'), 'second text\n')
        await rm(join(workspace, 'a.txt'))
      },
    })
    await agent.ask('one')
    await agent.ask('two')
    const [one = 0] = await positionsOf('CallSucceeded')
    const { url } = await inspecting(orchestrator)
    const page = await openPage(url)

    // From a fact of the turn to what it has changed.
    await type(page).getByText('CallSucceeded').waitFor()
    await page.getByRole('button', { name: 'Show what changed in the files' }).click()
    await page.locator('.files-about').getByText('Turn 2: 2 files, +1 −3').waitFor()
    expect(await page.locator('.line.is-added').allInnerTexts()).toEqual(['+second text'])
    expect(await page.locator('.line.is-removed').allInnerTexts()).toEqual(['-one', '-two', '-first text'])
    await screenshot(page, 'changes')

    // One file of it, with the keys; then all that was changed since the agent began.
    await page.keyboard.press('j')
    await page.keyboard.press('j')
    await expect.poll(() => page.locator('.line.is-removed').allInnerTexts()).toEqual(['-first text'])
    await page.getByRole('button', { name: 'Show all files' }).click()
    await page.getByRole('button', { name: 'Since it began' }).click()
    await page.locator('.files-about').getByText('Since it began: 2 files, +1 −2').waitFor()

    // The files follow the slider, and the one that was chosen stays chosen.
    await page.keyboard.press('f')
    await page.locator('.path', { hasText: 'b.txt' }).click()
    await reader(page).getByText('second text').waitFor()
    expect(await listed(page).allInnerTexts()).toEqual(['b.txt'])
    await page.getByRole('slider').fill(String(one))
    await reader(page).getByText('first text').waitFor()
    expect(await listed(page).allInnerTexts()).toEqual(['a.txt', 'b.txt'])
    await screenshot(page, 'files')
    await page.locator('.path', { hasText: 'b.txt' }).focus()
    await page.keyboard.press('k')
    await reader(page).getByText('one').waitFor()
    expect(await page.locator('.path:focus .name').innerText()).toBe('a.txt')
    await page.keyboard.press('j')
    await reader(page).getByText('first text').waitFor()
    await page.getByLabel('Find a file').fill('A.T')
    await page.getByText('2 files, 1 match').waitFor()
    expect(await listed(page).allInnerTexts()).toEqual(['a.txt'])
    await page.getByLabel('Find a file').fill('')
    await page.getByLabel('Find a file').blur()

    // Before there were any.
    await page.keyboard.press('Home')
    await expect.poll(() => listed(page).allInnerTexts()).toEqual(['a.txt'])
    await reader(page).getByText('did not exist at this moment').waitFor()
    await page.keyboard.press('d')
    await page.keyboard.press('d')
    await page.locator('.fact .type').first().waitFor()
  })

  test('shows the files of an agent that lives on another machine, and what a turn has changed', async () => {
    const { orchestrator, agent, folder, positionsOf } = await agentOnRepository(
      { one: (workspace) => writeFile(join(workspace, 'b.txt'), 'first text\n') },
      'one',
    )
    await agent.ask('one')
    const [one = 0] = await positionsOf('CallSucceeded')
    const { url } = await inspecting({ store: orchestrator.store, baseDir: join(folder, 'elsewhere') })
    const page = await openPage(url)
    await page.getByRole('slider').fill(String(one))
    await type(page).getByText('CallSucceeded').waitFor()
    await page.getByRole('button', { name: 'Show what changed in the files' }).click()
    await page.locator('.files-about').getByText('Turn 1: 1 file, +1').waitFor()
    expect(await page.locator('.line.is-added').allInnerTexts()).toEqual(['+first text'])
    await page.keyboard.press('f')
    await page.locator('.path', { hasText: 'b.txt' }).click()
    await reader(page).getByText('first text').waitFor()
  })

  test('shows hostile names and files as text', async () => {
    const markup = '<img src=x onerror=alert(1)>'
    const { orchestrator, agent } = await agentOnRepository({
      one: (workspace) =>
        writeFile(
          join(workspace, `${markup.replaceAll('/', '')}\u202Egnp.sh`),
          `<script>alert(2)</script>\u001b[2J\n`,
        ),
    })
    await agent.ask('one')
    const { url } = await inspecting(orchestrator)
    const page = await openPage(url, { dark: true })
    await page.keyboard.press('d')
    await page.locator('.line.is-added').getByText('+<script>alert(2)</script>\\x1b[2J').waitFor()
    expect(await listed(page).innerText()).toBe(`${markup}\\u202egnp.sh`)
    await page.keyboard.press('f')
    await listed(page).getByText(markup).click()
    await reader(page).getByText('<script>alert(2)</script>').waitFor()
    expect(await page.locator('img[src=x]').count()).toBe(0)
    await screenshot(page, 'hostile-files')
  })

  test('is as wide as the window, and its texts scroll with the keys', async () => {
    const { orchestrator, agent } = await agentOnRepository({
      one: (workspace) =>
        writeFile(join(workspace, `${'long-name-'.repeat(20)}.txt`), `${'x'.repeat(3000)}\n`.repeat(200)),
    })
    await agent.ask('one')
    const { url } = await inspecting(orchestrator)
    const page = await openPage(url)
    await page.keyboard.press('d')
    await page.locator('.line.is-added').first().waitFor()
    for (const width of [390, 820, 1440]) {
      await page.setViewportSize({ width, height: 900 })
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width)
      await screenshot(page, `changes-${width}`)
    }
    const where = await page.locator('.where strong').innerText()
    await reader(page).focus()
    await page.keyboard.press('End')
    await expect.poll(() => reader(page).evaluate(({ scrollTop }) => scrollTop > 0)).toBe(true)
    expect(await page.locator('.where strong').innerText()).toBe(where)
  })

  test('says what it cannot show', async () => {
    const { orchestrator, agent, baseDir } = await agentOnRepository({
      one: (workspace) => writeFile(join(workspace, 'b'), ''),
    })
    await agent.ask('one')
    await (await orchestrator.createAgent({ id: 'other', systemPrompt: 'You work.' })).ask('x')
    const { url } = await inspecting(orchestrator)
    const page = await openPage(url)
    await page.keyboard.press('f')
    await page.getByText('no snapshot of the files of other was saved').waitFor()
    await rm(join(baseDir, 'files.git'), { recursive: true })
    await page.locator('.actor', { hasText: 'dev' }).click()
    await page.getByText('there are no snapshots here').waitFor()
  })
})
