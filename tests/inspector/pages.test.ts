/** The places of the inspector in a real browser: each has an address, answers its question, and can be used by everyone. */
import { describe, expect, onTestFinished, test } from 'vitest'
import { OverloadedError, RefusedError } from '../../src/events/errors/call.ts'
import { inspector } from '../../src/inspector/inspector.ts'
import { Orchestrator } from '../../src/orchestrator.ts'
import { parallel } from '../../src/patterns/parallel.ts'
import { sequential } from '../../src/patterns/sequential.ts'
import { memoryStore } from '../../src/store/memory-store.ts'
import { type ScriptedRunnerOptions, scriptedRunner } from '../../src/testing/scripted-runner.ts'
import { CHROMIUM, openPlace, placeAt } from './browser.ts'

const title =
  CHROMIUM === undefined ? 'the places (skipped: no Chromium found, see CHROMIUM_PATH)' : 'the places'

async function inspected(names: readonly string[], reply: NonNullable<ScriptedRunnerOptions['reply']>) {
  const store = memoryStore()
  const orchestrator = await Orchestrator.open({ store, runner: scriptedRunner({ reply }), random: () => 0 })
  for (const id of names) {
    await orchestrator.createAgent({
      id,
      systemPrompt: `You are ${id}.`,
      retry: { minDelayMs: 1, maxDelayMs: 1 },
    })
  }
  const serving = await inspector(orchestrator)
  onTestFinished(async () => {
    await serving.close()
    await orchestrator.close()
  })
  return { orchestrator, store, url: serving.url }
}

const review = sequential([parallel(['security', 'performance']), 'lead'])
const team = ['security', 'performance', 'lead']

const REPORT = `## Findings

The sum is **never** reset, see \`total\`:

| place | problem |
|---|---|
| line 1 | shared state |

\`\`\`ts
let total = 0
\`\`\`
`

/** A review that succeeded, one that failed, and an agent that was forked. */
async function world() {
  const made = await inspected(team, ({ agent, attempt, prompt }) => {
    if (agent === 'performance' && attempt === 1) return new OverloadedError()
    if (agent === 'lead' && prompt.includes('broken')) return new RefusedError()
    return { text: `${REPORT}\nBy ${agent}.`, costUsd: 0.02 }
  })
  const { orchestrator } = made
  await orchestrator.run(review, 'Review `sum.ts`', { id: 'good', name: 'code review' })
  await orchestrator.run(review, 'Review what is broken', { id: 'bad', name: 'code review' })
  await orchestrator.fork('lead', { as: 'lead-2' })
  return made
}

describe.skipIf(CHROMIUM === undefined)(title, () => {
  test('the address names what is shown: links lead there, reload keeps the place, and back leads to the one before', async () => {
    const { url } = await world()
    const page = await openPlace(url)
    const path = () => page.evaluate('location.pathname + location.search')
    await page.getByRole('heading', { name: 'Failed today 1' }).waitFor()
    await page
      .getByRole('link', { name: /code review good/ })
      .first()
      .click()
    await page.getByRole('heading', { name: 'code review', level: 1 }).waitFor()
    expect(await path()).toBe('/run/good')
    await page.locator('.step', { hasText: 'lead' }).click()
    await page.getByRole('link', { name: 'In the conversation of lead' }).click()
    await page.getByRole('heading', { name: 'Turn 1', exact: true }).waitFor()
    const conversation = await path()
    expect(conversation).toMatch(/^\/agent\/lead\?turn=\d+$/)
    await page.reload()
    await page.getByRole('heading', { name: 'Turn 1', exact: true }).waitFor()
    expect(await path()).toBe(conversation)
    await page.goBack()
    await page.getByRole('heading', { name: 'code review', level: 1 }).waitFor()

    // In the log, the place is the fact; moving the slider is no visit.
    await page.goto(placeAt(url, '/fact/3'))
    await page.locator('.where strong').getByText('3', { exact: true }).waitFor()
    await page.locator('.fact').nth(5).click()
    await page.locator('.where strong').getByText('6', { exact: true }).waitFor()
    await page.keyboard.press('ArrowRight')
    await page.keyboard.press('ArrowRight')
    await expect.poll(path).toBe('/fact/8')
    await page.reload()
    await page.locator('.where strong').getByText('8', { exact: true }).waitFor()
    await page.goBack()
    await page.locator('.where strong').getByText('3', { exact: true }).waitFor()
    await page.keyboard.press('g')
    await page.keyboard.press('r')
    await page.getByRole('heading', { name: 'Runs' }).waitFor()
  })

  test('a run shows what was asked, what came out, and each step with its rendered answer', async () => {
    const { url } = await world()
    const page = await openPlace(placeAt(url, '/run/good'))
    const output = page.getByRole('region', { name: 'Output' })
    await output.getByRole('heading', { name: 'Findings' }).waitFor()
    expect(await output.locator('table td').allInnerTexts()).toEqual(['line 1', 'shared state'])
    expect(await page.getByRole('region', { name: 'Input' }).innerText()).toContain('Review sum.ts')
    const names = page.locator('.step .name')
    expect(await names.allInnerTexts()).toEqual(['security', 'performance', 'lead'])
    await page.getByRole('button', { name: 'As a tree' }).click()
    await page.locator('.step').first().focus()
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('Enter')
    await page.locator('.opened').getByText('Attempt 1: failed').waitFor()
    await page.locator('.opened').getByText('By performance.').waitFor()
  })

  test('a conversation shows the turns of an agent, its forks, and where it can be forked', async () => {
    const { url } = await world()
    const page = await openPlace(placeAt(url, '/agent/lead'))
    await page.getByText('was forked from here').waitFor()
    const turns = page.locator('.turn')
    expect(await turns.count()).toBe(2)
    expect(await turns.first().innerText()).toContain('Findings')
    expect(await turns.last().innerText()).toContain('RefusedError')
    await turns.first().getByText('Fork from here').click()
    const command = await turns.first().locator('.command code').innerText()
    const version = /--at (\d+)/.exec(command)?.[1]
    // As it was then: the second turn had not been asked.
    await page.goto(placeAt(url, `/agent/lead?at=${version}`))
    await page.getByText(/As of version/).waitFor()
    expect(await turns.count()).toBe(1)
  })

  test('what was asked and answered is found, and each hit leads to its turn', async () => {
    const { url } = await world()
    const page = await openPlace(url)
    await page.keyboard.press('/')
    await page.keyboard.type('BY SECURITY')
    await page.keyboard.press('Enter')
    await page
      .getByRole('link', { name: /security answered/ })
      .first()
      .click()
    await page.locator('.turn.chosen').getByText('By security.').waitFor()
  })

  test('hostile Markdown does nothing', async () => {
    const text = [
      '<script>document.title = "owned"</script><img src=x onerror="alert(1)">',
      '[click](javascript:alert(2)) ![](https://evil.example/pixel.png) [bank](https://evil.example/)',
      '\u202Egnp.exe &#x202e;',
      '> '.repeat(5000),
    ].join('\n\n')
    const long = `${'[('.repeat(40_000)}${'x'.repeat(1_000_000)}`
    const { orchestrator, url } = await inspected(['a'], ({ prompt }) => (prompt === 'long' ? long : text))
    await orchestrator.sendTask('a', text)
    await orchestrator.sendTask('a', 'long')
    const page = await openPlace(placeAt(url, '/agent/a'))
    const requests: string[] = []
    page.on('request', (request) => requests.push(request.url()))
    await page.getByText('Turn 2').waitFor()
    expect(await page.locator('img:not([src="/icon.svg"]), script:not([src])').count()).toBe(0)
    expect(await page.locator('a[href^="javascript"]').count()).toBe(0)
    expect(await page.locator('.turn').first().innerText()).toContain('\\u202egnp.exe &#x202e;')
    await page.locator('.answered .text-actions').last().getByText('Show all').click()
    await page
      .getByRole('button', { name: /Show more \(.* left\)/ })
      .first()
      .click()
    await page.getByRole('button', { name: /Show more \(9.. KB left\)/ }).waitFor()
    expect(await page.title()).toBe('Agent a · claude-agents inspector')
    expect(requests.filter((one) => !one.startsWith(new URL(url).origin))).toEqual([])
  })
})
