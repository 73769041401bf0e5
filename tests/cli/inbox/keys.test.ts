/** `inbox` on a terminal: keys decide, each as its command does. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { simulatedModel } from '../../../src/testing/model/simulated-model.ts'
import { MAIN, QUICK_CLAUDE, quickCommandLine } from '../command.ts'
import { hasTmux, tmux } from '../tmux.ts'

test.runIf(hasTmux)('A person (tmux) reads, approves and denies what waits by keys alone', async () => {
  await using model = await simulatedModel({ reply: ({ prompt }) => `an answer to: ${prompt.slice(0, 8)}` })
  const { folder, run } = await quickCommandLine(model.environment)
  await run(['agent', 'create', 'writer', 'You write.'])
  const long = `hello t1\n${'many words '.repeat(60)}\nthe end of t1`
  for (const [id, prompt] of [
    ['t1', long],
    ['t2', 'hello t2'],
    ['t3', 'hello t3'],
  ] as const)
    await run(['agent', 'ask', 'writer', prompt, '--task-id', id, '--approval', 'why not'])
  const terminal = await tmux(folder, { ...model.environment, CLAUDE_AGENTS_CLAUDE_PATH: QUICK_CLAUDE })
  await terminal.type(`${process.execPath} ${MAIN} inbox; echo "exit $?"`)
  await terminal.shows(/3 entries in the inbox(.|\n)*▸ task:writer:t1 (.|\n)*a approve {2}d deny/)
  // No part of what is pasted is a key.
  await terminal.paste('add\rd\ra\r')
  await terminal.press('Enter')
  await terminal.shows(/\| many words(.|\n)*claude-agents inbox approve task:writer:t1/)
  await terminal.press('Enter')
  await terminal.shows(/▸ task:writer:t1/)
  await terminal.press('a')
  await terminal.shows(
    /approved task:writer:t1\n(.|\n)*an answer to: hello t1\n(.|\n)*Press a key for the inbox/,
  )
  await terminal.press('x')
  await terminal.shows(/2 entries in the inbox(.|\n)*▸ task:writer:t2/)
  await terminal.press('Down', 'd', 'n', 'o')
  await terminal.shows(/Deny it\. Reason: no/)
  await terminal.press('Enter')
  await terminal.shows(/1 entry in the inbox(.|\n)*▸ task:writer:t2(.|\n)*denied task:writer:t3/)
  // Another process is quicker.
  await vi.waitFor(
    async () => {
      // The first one may still be closing the store.
      const { exitCode } = await run(['inbox', 'deny', 'task:writer:t2', '--reason', 'too late'])
      expect(exitCode).toBe(0)
    },
    { timeout: 30_000, interval: 50 },
  )
  await terminal.shows(/Nothing waits for you\.\n(.|\n)*exit 0\n/)
  const { values } = await run(['log', '--json', '--type', 'TaskApproved,TaskFailed'])
  expect(values.map(({ type, data }) => [type, (data as unknown as { taskId: string }).taskId])).toEqual([
    ['TaskApproved', 't1'],
    ['TaskFailed', 't3'],
    ['TaskFailed', 't2'],
  ])
  expect(JSON.stringify(values[1])).toContain('"reason":"no"')
  expect(model.requests).toHaveLength(1)

  await terminal.type(`${process.execPath} ${MAIN} inbox | cat; echo "exit $?"`)
  await terminal.shows(/Nothing waits for you\.\n(.|\n)*exit 0\n/)
  await terminal.type(`${process.execPath} ${MAIN} inbox --watch; echo "exit $?"`)
  await terminal.shows(/Nothing waits for you\.\n(.|\n)*q quit/)
  await terminal.press('C-c')
  await terminal.shows(/exit 130\n/)
})

test.runIf(hasTmux)(
  'When the log can be followed no longer, the screen says so instead of standing still',
  async () => {
    await using model = await simulatedModel()
    const { folder, run } = await quickCommandLine(model.environment)
    await run(['agent', 'create', 'writer', 'You write.'])
    await run(['agent', 'ask', 'writer', 'hello', '--task-id', 't1', '--approval', 'why not'])
    const terminal = await tmux(folder, { ...model.environment, CLAUDE_AGENTS_CLAUDE_PATH: QUICK_CLAUDE })
    await terminal.type(`${process.execPath} ${MAIN} inbox; echo "exit $?"`)
    await terminal.shows(/1 entry in the inbox/)
    await writeFile(join(folder, '.claude-agents', 'head'), 'damaged')
    await terminal.shows(/its\s+head\s+is\s+corrupted(.|\n)*exit [1-9]/)
  },
)
