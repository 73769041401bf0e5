/** `agent open`: the real `claude` in a real terminal, with the simulated model. */
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { listTranscripts } from '../../../src/claude/session/transcripts.ts'
import { simulatedModel } from '../../../src/testing/model/simulated-model.ts'
import { commandLine, MAIN, quickCommandLine } from '../command.ts'
import { hasTmux, tmux } from '../tmux.ts'

/** What all transcripts below a folder contain. */
async function said(folder: string): Promise<string> {
  const names = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.jsonl'))
  return (await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')))).join('')
}

test.runIf(hasTmux)(
  'agent open is claude on a fork of the session, which leaves the agent as it is; --take takes back what was said',
  async () => {
    await using model = await simulatedModel({
      reply: (request) => `Heard ${request.conversation.at(-1)?.[1].trim().split(' ').at(-1)}`,
    })
    const variables = { ...model.environment, TERM: 'xterm-256color' }
    const { run, folder } = await commandLine(variables)
    await run(['agent', 'create', 'ada', 'You are PROBE.', '--model', 'claude-sonnet-4-5'])
    await run(['agent', 'ask', 'ada', 'My name is Ada.'])
    const home = join(folder, '.claude-agents/agents/ada/home')
    const [transcript] = await listTranscripts(home)
    const path = transcript?.path ?? ''
    const before = { text: await readFile(path), mtime: (await stat(path)).mtimeMs }
    const shown = async () =>
      (await run(['agent', 'show', 'ada', '--json'])).values[0] as Record<string, unknown>
    const { currentSession } = await shown()
    const screen = await tmux(folder, {
      ...variables,
      CLAUDE_AGENTS_CLAUDE_PATH: process.env.CLAUDE_AGENTS_CLAUDE_PATH ?? '',
    })
    const talk = async (command: string, words: string) => {
      await screen.type(`${process.execPath} ${MAIN} ${command}; echo "ended $?"`)
      await screen.shows(/Heard Ada\.[\s\S]*❯/)
      await screen.enter(words)
      const heard = `Heard ${words.split(' ').at(-1)}`
      await screen.shows(new RegExp(heard))
      // It is on the screen a moment before it is in the transcript.
      await vi.waitFor(async () => expect(await said(join(home, 'terminals'))).toContain(heard), 30_000)
      await screen.press('C-d')
      await screen.press('C-d')
      return (await screen.shows(/ended 0/)).replaceAll('\n', '')
    }

    expect(await talk('agent open ada', 'Here we are')).toMatch(/agent adopt \S+\.jsonl --as NEW/)
    expect(model.requests.at(-1)).toMatchObject({ model: 'claude-sonnet-4-5' })
    expect(JSON.stringify(model.requests.at(-1)?.system)).toContain('You are PROBE.')
    expect(model.requests.at(-1)?.conversation.map(([, text]) => text.trim())).toContain('My name is Ada.')
    expect(await shown()).toMatchObject({ currentSession, version: expect.any(Number) })
    expect([await readFile(path), (await stat(path)).mtimeMs]).toEqual([before.text, before.mtime])

    expect(await talk('agent open ada --take', 'I like tea')).toMatch(
      /ada continues from what was said: 1 turn/,
    )
    const after = await shown()
    expect(after.currentSession).not.toBe(currentSession)
    await run(['agent', 'ask', 'ada', 'What do I like?'])
    const heard = model.requests.at(-1)?.conversation.map(([, text]) => text.trim())
    expect(heard).toEqual(expect.arrayContaining(['My name is Ada.', 'I like tea', 'What do I like?']))
    expect(heard).not.toContain('Here we are')
  },
  120_000,
)

test('agent open without a terminal says how to ask from a script, if there is such an agent', async () => {
  const { run } = await quickCommandLine()
  await run(['agent', 'create', 'ada', 'You help.'])
  expect(await run(['agent', 'open', 'adda'])).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining('Did you mean "ada"?'),
  })
  const { exitCode, stderr } = await run(['agent', 'open', 'ada'])
  expect([exitCode, stderr]).toEqual([2, expect.stringMatching(/needs a terminal[\s\S]*agent ask ada/)])
})
