/** The page in a real browser: what waits is handled on it alone, by mouse and by keyboard, and the log says who did. */
import { describe, expect, onTestFinished, test } from 'vitest'
import type { DeferredTool } from '../../../src/claude/runner.ts'
import { RefusedError } from '../../../src/events/errors/call.ts'
import { defined } from '../../../src/events/json.ts'
import { ASK_HUMAN } from '../../../src/events/options/tools.ts'
import { inspector } from '../../../src/inspector/inspector.ts'
import { Orchestrator } from '../../../src/orchestrator.ts'
import { sequential } from '../../../src/patterns/sequential.ts'
import { memoryStore } from '../../../src/store/memory-store.ts'
import { scriptedRunner } from '../../../src/testing/scripted-runner.ts'
import { CHROMIUM, openPlace, placeAt, screenshot } from '../browser.ts'
import { factsOf } from './kit.ts'
import { by, dialog, entry, MARKUP, ready, sent } from './page-kit.ts'

const title = CHROMIUM === undefined ? 'the page (skipped: no Chromium found, see CHROMIUM_PATH)' : 'the page'

/** A team of which a task, another task, a budget and a failed run wait for a person. */
async function waiting() {
  let isRefused = true
  const store = memoryStore()
  const orchestrator = await Orchestrator.open({
    store,
    workflows: { report: sequential(['critic']) },
    runner: scriptedRunner({
      reply: ({ agent }) =>
        agent === 'critic' && isRefused ? new RefusedError() : { text: 'done', costUsd: 1 },
    }),
  })
  const serving = await inspector(orchestrator)
  onTestFinished(async () => {
    await serving.close()
    await orchestrator.close()
  })
  for (const id of ['writer', 'critic', 'poor'])
    await orchestrator.createAgent({ id, systemPrompt: `You are ${id}.` })
  await orchestrator.run('report', 'go', { id: 'r1' })
  isRefused = false
  await orchestrator.budgets.set({ usd: 1.2 }, { agent: 'poor' })
  await orchestrator.sendTask('poor', 'the first')
  const held = async (id: string, taskId: string, approval?: string) => {
    const agent = await orchestrator.agent(id)
    await new Promise<void>((resolve) => {
      const asked = { taskId, onHeld: () => resolve(), ...(approval && { approval }) }
      agent.ask(MARKUP, asked).catch(() => {})
    })
  }
  await held('writer', 't1', 'it goes out')
  await held('writer', 't2', MARKUP)
  await held('poor', 't3')
  return { store, orchestrator, url: serving.url }
}

describe.skipIf(CHROMIUM === undefined)(title, () => {
  test('handles what waits by mouse, and a second browser sees it at once', async () => {
    const { store, orchestrator, url } = await waiting()
    const page = await openPlace(placeAt(url, '/inbox'))
    const second = await openPlace(placeAt(url, '/inbox'), { dark: true })
    expect(await entry(page, 'task:writer:t2').innerText()).toContain('\\u202egnp.exe')
    expect(await page.title()).toContain('Inbox')
    expect(await page.locator('img[src=x]').count()).toBe(0)
    await screenshot(page, 'inbox')
    await screenshot(second, 'inbox-dark')

    await entry(page, 'task:writer:t1').getByRole('button', { name: 'Approve' }).click()
    // Going back does nothing.
    await dialog(page).getByRole('button', { name: 'Back' }).click()
    expect(await factsOf(store, 'TaskApproved')).toEqual([])
    await entry(page, 'task:writer:t1').getByRole('button', { name: 'Approve' }).click()
    await screenshot(page, 'inbox-form')
    await dialog(page).getByRole('button', { name: 'Approve' }).dblclick()
    await sent(page, 'Approved task:writer:t1.')
    await entry(second, 'task:writer:t1').waitFor({ state: 'detached' })

    await entry(page, 'budget:poor:t3').getByRole('button', { name: 'Set the budget' }).click()
    await dialog(page).getByRole('button', { name: 'Set the budget' }).click()
    await sent(page, 'The budget is set.')
    await entry(second, 'budget:poor:t3').waitFor({ state: 'detached' })

    await page.goto(placeAt(url, '/run/r1'))
    await page.getByRole('button', { name: 'Resume' }).click()
    await dialog(page).getByRole('button', { name: 'Resume' }).click()
    await sent(page, 'Run r1 continues.')
    expect((await orchestrator.runs.result('r1')).success).toBe(true)

    expect(await factsOf(store, 'TaskApproved')).toEqual([{ taskId: 't1', by }])
    expect((await factsOf(store, 'BudgetSet')).at(-1)).toMatchObject({ by })
    expect(await factsOf(store, 'RunResumed')).toEqual([{ by }])
  })

  test('offers what can be done about an agent while the log grows without a pause', async () => {
    const { orchestrator, url } = await waiting()
    let isGrowing = true
    const grow = async () => {
      while (isGrowing) {
        await orchestrator.sendTask('critic', 'more')
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    }
    const growing = grow()
    try {
      const page = await openPlace(placeAt(url, '/agent/writer'))
      await page.getByRole('button', { name: 'Cancel task t1' }).waitFor({ timeout: 10_000 })
    } finally {
      isGrowing = false
      await growing
    }
  })

  test('handles what waits by keyboard only', async () => {
    const { store, orchestrator, url } = await waiting()
    const page = await openPlace(placeAt(url, '/'))
    const { keyboard } = page
    await page.locator('.brand').waitFor()
    await keyboard.press('g')
    await keyboard.press('i')
    await entry(page, 'task:writer:t1').waitFor()
    await keyboard.press('j')
    await keyboard.press('a')
    await ready(page)
    await keyboard.press('Enter')
    await sent(page, 'Approved task:writer:t1.')
    await entry(page, 'task:writer:t1').waitFor({ state: 'detached' })

    await keyboard.press('j')
    await keyboard.press('d')
    await ready(page)
    await keyboard.press('Escape')
    await dialog(page).waitFor({ state: 'detached' })
    await keyboard.press('d')
    await ready(page)
    await keyboard.type('not like this')
    await keyboard.press('Enter')
    await sent(page, 'Denied task:writer:t2.')
    await entry(page, 'task:writer:t2').waitFor({ state: 'detached' })

    await keyboard.press('j')
    await keyboard.press('a')
    await ready(page)
    await keyboard.press('Enter')
    await sent(page, 'The budget is set.')
    await page.getByText('Nothing waits for you.').waitFor()

    await page.goto(placeAt(url, '/run/r1'))
    const resume = page.getByRole('button', { name: 'Resume' })
    await resume.waitFor()
    while (!(await resume.evaluate((button) => button.matches(':focus')))) await keyboard.press('Tab')
    await keyboard.press('Enter')
    await ready(page)
    await keyboard.press('Enter')
    await sent(page, 'Run r1 continues.')
    expect((await orchestrator.runs.result('r1')).success).toBe(true)

    expect(await factsOf(store, 'TaskApproved')).toEqual([{ taskId: 't1', by }])
    expect(await factsOf(store, 'TaskFailed')).toContainEqual(
      expect.objectContaining({
        taskId: 't2',
        error: expect.objectContaining({ details: expect.objectContaining({ by, reason: 'not like this' }) }),
      }),
    )
  })

  test('a tool call and a question are on the overview, and their turns are held', async () => {
    const store = memoryStore()
    const deferred: Readonly<Record<string, DeferredTool>> = {
      asker: { tool: ASK_HUMAN, toolUseId: 'u1', input: { question: 'Which?', choices: ['left', 'right'] } },
      builder: { tool: 'Bash', toolUseId: 'u2', input: { command: 'make' } },
    }
    const reply = ({ agent }: { readonly agent: string }) => defined({ deferred: deferred[agent] })
    const orchestrator = await Orchestrator.open({ store, runner: scriptedRunner({ reply }) })
    const serving = await inspector(orchestrator)
    onTestFinished(async () => {
      await serving.close()
      await orchestrator.close()
    })
    for (const id of ['asker', 'builder']) {
      const agent = await orchestrator.createAgent({
        ...{ id, systemPrompt: 'You work.', approveTools: ['Bash'], questions: true },
      })
      await new Promise<void>((resolve) => {
        agent.ask('go', { taskId: id, onHeld: () => resolve() }).catch(() => {})
      })
    }
    const page = await openPlace(placeAt(serving.url, '/'))
    await page.getByRole('heading', { name: 'Needs you 2' }).waitFor()
    const lines = page.locator('.needs .lines a')
    expect(await lines.allInnerTexts()).toEqual([
      expect.stringMatching(/^asker Question\s+Which\?$/),
      expect.stringMatching(/^builder Tool call\s+Task builder of agent "builder" is held/),
    ])
    await lines.first().click()
    expect(await page.locator('.choices li').allInnerTexts()).toEqual(['left', 'right'])
    await page.goto(placeAt(serving.url, '/agent/builder'))
    const turn = page.locator('.turn')
    expect(await turn.innerText()).toContain('held')
    await orchestrator.inbox.deny(
      (await orchestrator.inbox()).find(({ agent }) => agent === 'builder')?.id ?? '',
    )
    await turn.getByText('denied').waitFor()
    expect(await turn.innerText()).not.toMatch(/null|CallDeferred|ToolDecided/)
  })
})
