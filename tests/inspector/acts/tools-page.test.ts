/** Tool calls and questions in a real browser: each is decided on the page alone, by mouse and by keyboard, and seen by others. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Call, DeferredTool } from '../../../src/claude/runner.ts'
import { ASK_HUMAN } from '../../../src/events/options/tools.ts'
import { inspector } from '../../../src/inspector/inspector.ts'
import { Orchestrator } from '../../../src/orchestrator.ts'
import { memoryStore } from '../../../src/store/memory-store.ts'
import { scriptedRunner } from '../../../src/testing/scripted-runner.ts'
import { temporaryDirectory } from '../../store/temporary.ts'
import { CHROMIUM, openPlace, placeAt, screenshot } from '../browser.ts'
import { factsOf } from './kit.ts'
import { by, dialog, entry, MARKUP, ready, sent } from './page-kit.ts'

const title = CHROMIUM === undefined ? 'the page (skipped: no Chromium found, see CHROMIUM_PATH)' : 'the page'

type Asked = Readonly<Record<string, Omit<DeferredTool, 'toolUseId'>>>

const outcomeOf = ({ resumes }: Call) =>
  resumes?.verdict === 'deny'
    ? `denied: ${resumes.reason}`
    : `ran ${JSON.stringify(resumes?.updatedInput ?? resumes?.input)}`

/** A team in which each agent waits at its tool call or question. */
async function waiting(asked: Asked, prepare = (_baseDir: string) => {}) {
  const store = memoryStore()
  const baseDir = await temporaryDirectory()
  prepare(baseDir)
  const orchestrator = await Orchestrator.open({
    ...{ store, baseDir },
    runner: scriptedRunner({
      reply: (call) => {
        const deferred = asked[call.agent]
        return call.resumes || !deferred ? outcomeOf(call) : { deferred: { toolUseId: 'u1', ...deferred } }
      },
    }),
  })
  const serving = await inspector(orchestrator)
  onTestFinished(async () => {
    await serving.close()
    await orchestrator.close()
  })
  const ids: Record<string, string> = {}
  for (const id of Object.keys(asked)) {
    const agent = await orchestrator.createAgent({
      ...{ id, systemPrompt: 'You work.', approveTools: ['Bash', 'Write'], questions: true },
    })
    await new Promise<void>((resolve) => {
      agent.ask('go', { taskId: id, onHeld: () => resolve() }).catch(() => {})
    })
    ids[id] = (await orchestrator.inbox()).find((one) => one.agent === id)?.id ?? ''
  }
  const answer = async (id: string) => (await (await orchestrator.agent(id)).reply(id)).text
  return { store, orchestrator, url: serving.url, ids, answer }
}

const make = { tool: 'Bash', input: { command: 'make' } }
const team: Asked = {
  runner: make,
  editor: make,
  denied: make,
  remembered: make,
  chooser: { tool: ASK_HUMAN, input: { question: 'Which?', choices: ['left', 'right'] } },
  writer: { tool: ASK_HUMAN, input: { question: 'What name?' } },
}

/** What the log holds once all of them are decided: who decided each, and how. */
async function expectDecided({ store, answer }: Awaited<ReturnType<typeof waiting>>) {
  expect(await answer('runner')).toBe('ran {"command":"make"}')
  expect(await answer('editor')).toBe('ran {"command":"make -n"}')
  expect(await answer('denied')).toBe('denied: not today')
  expect(await answer('remembered')).toBe('ran {"command":"make"}')
  expect(JSON.parse((await answer('chooser')).slice('ran '.length))).toMatchObject({ answer: 'right' })
  expect(JSON.parse((await answer('writer')).slice('ran '.length))).toMatchObject({ answer: 'Ada & Co' })
  const decided = await factsOf(store, 'ToolDecided')
  expect(decided.map((fact) => [fact.taskId, fact.verdict, fact.by]).sort()).toEqual([
    ['chooser', 'allow', by],
    ['denied', 'deny', by],
    ['editor', 'allow', by],
    ['remembered', 'allow', by],
    ['runner', 'allow', by],
    ['writer', 'allow', by],
  ])
  expect(await factsOf(store, 'ToolRuleRemembered')).toEqual([{ rule: 'Bash(make)', by }])
}

describe.skipIf(CHROMIUM === undefined)(title, () => {
  test('decides tool calls and answers questions by mouse, and a second browser sees it at once', async () => {
    const here = await waiting(team)
    const { store, url, ids } = here
    const page = await openPlace(placeAt(url, '/inbox'))
    const second = await openPlace(placeAt(url, '/'), { dark: true })
    await second.getByRole('heading', { name: 'Needs you 6' }).waitFor()
    const of = (id: string) => entry(page, ids[id] ?? '')
    const open = (id: string, name: string) => of(id).getByRole('button', { name, exact: true }).click()
    const send = async (id: string, name: string, sentence: string) => {
      await dialog(page).getByRole('button', { name, exact: true }).dblclick()
      await sent(page, `${sentence} ${ids[id]}.`)
      await of(id).waitFor({ state: 'detached' })
    }
    await open('runner', 'Approve')
    await dialog(page).getByRole('button', { name: 'Back' }).click()
    expect(await factsOf(store, 'ToolDecided')).toEqual([])
    await open('runner', 'Approve')
    await screenshot(page, 'tool-form')
    await send('runner', 'Approve', 'Approved')
    await second.getByRole('heading', { name: 'Needs you 5' }).waitFor()

    await open('editor', 'Edit')
    await dialog(page).getByLabel('Input').fill('{"command": "make -n"}')
    await send('editor', 'Edit', 'Approved')

    await open('denied', 'Deny')
    await dialog(page).getByLabel('Reason').fill('not today')
    await send('denied', 'Deny', 'Denied')

    await open('remembered', 'Approve')
    await dialog(page).getByLabel('Always allow').fill('Bash(make)')
    await send('remembered', 'Approve', 'Approved')

    await open('chooser', 'Answer')
    await dialog(page).getByLabel('right').check()
    await screenshot(page, 'question-form')
    await send('chooser', 'Answer', 'Answered')

    await open('writer', 'Answer')
    await dialog(page).getByRole('textbox', { name: 'Answer' }).fill('Ada & Co')
    await send('writer', 'Answer', 'Answered')
    await page.getByText('Nothing waits for you.').waitFor()
    await second.getByRole('heading', { name: 'Needs you 0' }).waitFor()
    await expectDecided(here)
  })

  test('decides tool calls and answers questions by keyboard only', async () => {
    const here = await waiting(team)
    const { url, ids } = here
    const page = await openPlace(placeAt(url, '/'))
    const { keyboard } = page
    await page.getByRole('heading', { name: 'Needs you 6' }).waitFor()
    const open = async (id: string, key: string) => {
      // The entry before it is gone: the next one is the first.
      await entry(page, ids[id] ?? '').waitFor()
      await keyboard.press('j')
      await keyboard.press(key)
      await ready(page)
    }
    const send = async (id: string, key: string, sentence: string) => {
      await keyboard.press(key)
      await sent(page, `${sentence} ${ids[id]}.`)
      await entry(page, ids[id] ?? '').waitFor({ state: 'detached' })
    }
    await keyboard.press('g')
    await keyboard.press('i')
    await open('runner', 'a')
    await keyboard.press('Escape')
    await dialog(page).waitFor({ state: 'detached' })
    await keyboard.press('a')
    await ready(page)
    // The first Tab leaves the field for the rule.
    await keyboard.press('Tab')
    await send('runner', 'Enter', 'Approved')

    await open('editor', 'e')
    await keyboard.press('Control+a')
    await keyboard.type('{"command": "make -n"}')
    await send('editor', 'Control+Enter', 'Approved')

    await open('denied', 'd')
    await keyboard.type('not today')
    await send('denied', 'Enter', 'Denied')

    await open('remembered', 'a')
    await keyboard.type('Bash(make)')
    await send('remembered', 'Enter', 'Approved')

    await open('chooser', 'e')
    await keyboard.press('ArrowDown')
    await send('chooser', 'Enter', 'Answered')

    await open('writer', 'e')
    await keyboard.type('Ada & Co')
    await send('writer', 'Control+Enter', 'Answered')
    await page.getByText('Nothing waits for you.').waitFor()
    await expectDecided(here)
  })

  test('shows what a call would change in a file, and compares again when asked', async () => {
    const input = { file_path: 'a.ts', old_string: 'two', new_string: '<b>2</b>' }
    const file = (baseDir: string) => join(baseDir, 'agents', 'editor', 'workspace', 'a.ts')
    const { orchestrator, url, ids } = await waiting({ editor: { tool: 'Edit', input } }, (baseDir) => {
      mkdirSync(dirname(file(baseDir)), { recursive: true })
      writeFileSync(file(baseDir), 'one\ntwo\n')
    })
    const page = await openPlace(placeAt(url, '/inbox'))
    const change = entry(page, ids.editor ?? '').locator('.change')
    const lines = change.locator('.patch .line')
    await change.getByRole('heading', { name: 'What would change in a.ts' }).waitFor()
    expect(await lines.allInnerTexts()).toEqual(['@@ -1,2 +1,2 @@', ' one', '-two', '+<b>2</b>'])
    await screenshot(page, 'tool-change')
    writeFileSync(file(orchestrator.baseDir), 'zero\n')
    await change.getByRole('button', { name: 'Compare again' }).click()
    await change.getByText('The text to replace is not in the file now.').waitFor()
    expect(await lines.count()).toBe(0)
  })

  test('hostile tool calls and questions do nothing, whatever their length', async () => {
    const choices = [`${MARKUP} yes`, 'no']
    const { store, url, ids } = await waiting({
      tool: { tool: 'Bash', input: { command: MARKUP, [MARKUP]: 1 } },
      large: { tool: 'Write', input: { file_path: MARKUP, content: 'x'.repeat(1024 * 1024) } },
      question: { tool: ASK_HUMAN, input: { question: MARKUP, choices } },
      endless: {
        tool: ASK_HUMAN,
        input: { question: 'y'.repeat(1024 * 1024), choices: ['z'.repeat(100_000)] },
      },
    })
    const page = await openPlace(placeAt(url, '/inbox'))
    const requests: string[] = []
    page.on('request', (request) => requests.push(request.url()))
    const of = (id: string) => entry(page, ids[id] ?? '')
    await of('endless').waitFor()
    expect(await page.locator('body').innerText()).not.toMatch(/[\u202A-\u202E\u2066-\u2069]/)
    expect((await page.content()).length).toBeLessThan(200_000)
    await of('large')
      .getByRole('button', { name: /Show the whole text/ })
      .first()
      .click()
    await of('large')
      .getByRole('button', { name: /Show more \(.* left\)/ })
      .first()
      .waitFor()
    for (const [id, names] of [
      ['tool', ['Approve', 'Edit', 'Deny']],
      ['large', ['Approve', 'Deny']],
      ['question', ['Answer', 'Deny']],
      ['endless', ['Deny']],
    ] as const) {
      expect(await of(id).locator('.offers button').allInnerTexts(), id).toEqual(names)
      for (const name of names) {
        await of(id).getByRole('button', { name, exact: true }).click()
        await ready(page)
        expect(await dialog(page).innerText()).not.toMatch(/[\u202A-\u202E\u2066-\u2069]/)
        await page.keyboard.press('Escape')
        await dialog(page).waitFor({ state: 'detached' })
      }
    }
    expect(await factsOf(store, 'ToolDecided')).toEqual([])
    // What is chosen is answered as it was asked, hidden characters and all.
    await of('question').getByRole('button', { name: 'Answer', exact: true }).click()
    await dialog(page).getByLabel('yes').check()
    await dialog(page).getByRole('button', { name: 'Answer', exact: true }).click()
    await sent(page, `Answered ${ids.question}.`)
    const [decided] = await factsOf(store, 'ToolDecided')
    expect(JSON.parse(String(decided?.input))).toMatchObject({ answer: choices[0] })
    expect(await page.title()).toContain('Inbox')
    expect(await page.locator('img:not([src="/icon.svg"]), script:not([src])').count()).toBe(0)
    expect(requests.filter((one) => !one.startsWith(new URL(url).origin))).toEqual([])
  })
})
