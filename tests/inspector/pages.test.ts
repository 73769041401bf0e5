/** The places of the inspector in a real browser: each has an address, answers its question, and can be used by everyone. */
import { describe, expect, test } from 'vitest'
import { OverloadedError, RefusedError } from '../../src/events/errors/call.ts'
import { factsOf } from './acts/kit.ts'
import { by, dialog } from './acts/page-kit.ts'
import { CHROMIUM, openPage, openPlace, placeAt } from './browser.ts'
import { inspected, review, team } from './team.ts'

const title =
  CHROMIUM === undefined ? 'the places (skipped: no Chromium found, see CHROMIUM_PATH)' : 'the places'

const REPORT = `## Findings

The sum is **never** reset, see \`total\`:

| place | problem |
|---|---|
| line 1 | shared state |

\`\`\`ts
let total = 0
\`\`\`
`

/** Wider than a tile of the overview. */
const LONG = 'it will not say anything about a parser that is broken. '.repeat(20)

const LONG_CALL = { command: `make ${'x'.repeat(200)}\n${'make\n'.repeat(60)}` }

/** A review that succeeded, one that failed, an agent that was forked, and one whose tool call waits. */
async function world() {
  const made = await inspected(team, ({ agent, attempt, prompt }) => {
    if (agent === 'builder') return { deferred: { tool: 'Bash', toolUseId: 'u1', input: LONG_CALL } }
    if (agent === 'performance' && attempt === 1) return new OverloadedError()
    if (agent === 'lead' && prompt.includes('broken')) return new RefusedError({ said: LONG })
    return { text: `${REPORT}\nBy ${agent}.`, costUsd: 0.02 }
  })
  const { orchestrator } = made
  await orchestrator.run(review, 'Review `sum.ts`', { id: 'good', name: 'code review' })
  await orchestrator.run(review, 'Review what is broken', { id: 'bad', name: 'code review' })
  await orchestrator.fork('lead', { as: 'lead-2' })
  const builder = await orchestrator.createAgent({
    ...{ id: 'builder', systemPrompt: 'You build.', approveTools: ['Bash'] },
  })
  await new Promise<void>((resolve) => {
    builder.ask('Build it', { taskId: 'build', onHeld: () => resolve() }).catch(() => {})
  })
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

  test('an agent is forked after a turn, and a run at a step, on the page alone, which then shows the new one', async () => {
    const { orchestrator, store, url } = await world()
    const page = await openPlace(placeAt(url, '/agent/lead'))
    const title = page.getByRole('heading', { level: 1 })
    const forkAs = async (button: string, name: string) => {
      await page.getByRole('button', { name: button }).first().click()
      await page.getByLabel(/^Name of the new/).fill(name)
      await dialog(page).getByRole('button', { name: button }).click()
    }
    // `lead-2` is another fork already.
    await page.locator('.turn .fork').first().click()
    await page.getByRole('button', { name: 'Fork the agent' }).first().click()
    await expect.poll(() => page.getByLabel('Name of the new agent').inputValue()).toBe('lead-3')
    await page.keyboard.press('Escape')
    await forkAs('Fork the agent', 'bolder')
    await title.getByText('bolder').waitFor()
    await page.getByText('Forked from lead').waitFor()

    await page.goto(placeAt(url, '/run/good'))
    await page.locator('.step', { hasText: 'lead' }).click()
    await forkAs('Fork the run', 'better')
    await page.getByRole('link', { name: 'Forked from good' }).waitFor()
    await page.getByRole('button', { name: 'Resume' }).waitFor()
    expect(await page.evaluate('location.pathname')).toBe('/run/better')
    expect((await orchestrator.runs.show('better')).status).toBe('paused')
    const created = (await factsOf(store, 'AgentCreated')).at(-1)
    expect(created).toMatchObject({ by, forkedFrom: { agent: 'lead' } })
    expect((await factsOf(store, 'RunStarted')).at(-1)).toMatchObject({ by, forkedFrom: { run: 'good' } })
  })

  test('the steps of a run that failed are found among the others', async () => {
    const { url } = await world()
    const page = await openPlace(placeAt(url, '/run/bad'))
    const names = page.locator('.step .name')
    await expect.poll(() => names.allInnerTexts()).toEqual(['security', 'performance', 'lead'])
    await page.getByRole('button', { name: 'failed 1' }).click()
    expect(await names.allInnerTexts()).toEqual(['lead'])
    await page.getByRole('button', { name: 'All', exact: true }).click()
    expect(await names.count()).toBe(3)
  })

  test('an address that names nothing leads on', async () => {
    const { url } = await world()
    const page = await openPlace(placeAt(url, '/rnu/good'))
    await page.getByRole('heading', { name: 'Nothing is at this address' }).waitFor()
    await page.getByRole('link', { name: 'Go to the overview' }).click()
    await page.getByRole('heading', { name: 'Failed today 1' }).waitFor()
  })

  test('a run whose work was set aside has nothing to resume: it says what to land', async () => {
    const { store, url } = await world()
    const workflow = { kind: 'fleet', repo: '/shop', tasks: [{ task: 'a', id: 'a' }], agents: {} }
    const code = 'WorkNotLandedError'
    const errors = [{ agent: 'a', code, message: 'The work of "a" has not landed.' }]
    await store.append('run/aside', [
      {
        ...{ type: 'RunStarted', v: 1 },
        data: {
          ...{
            name: 'fleet',
            workflow,
            hash: '',
            prompt: 'a',
            textInput: null,
            material: {},
            session: 'run',
          },
        },
      },
      { type: 'RunFailed', v: 1, data: { finalOutput: '', errors } },
    ])
    const page = await openPlace(placeAt(url, '/run/aside'))
    await page.getByText('so there is nothing to resume').waitFor()
    expect(await page.getByText('workflow resume').count()).toBe(0)
    await page.getByRole('button', { name: 'Cancel the run' }).waitFor()
    expect(await page.getByRole('button', { name: 'Resume' }).count()).toBe(0)
    await page.goto(placeAt(url, '/run/bad'))
    await page.getByText('claude-agents workflow resume bad').waitFor()
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

  test('choosing an actor leaves its facts, and the lanes of those that it works with', async () => {
    const { url } = await world()
    const page = await openPage(url)
    const lanes = page.locator('.lanes .label')
    await expect.poll(() => lanes.count()).toBe(7)
    await page.locator('.actor', { hasText: 'bad' }).click()
    await expect
      .poll(() => lanes.allInnerTexts())
      .toEqual(['run code review', 'security', 'performance', 'lead'])
    await page
      .locator('.extent')
      .getByText(/\d+ match/)
      .waitFor()
    expect(new Set(await page.locator('.fact .stream').allInnerTexts())).toEqual(new Set(['code review']))
    await expect.poll(() => page.evaluate('location.search')).toBe('?actor=run%2Fbad')
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
