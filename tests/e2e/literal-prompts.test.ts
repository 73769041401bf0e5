/** A prompt is text: whatever it looks like, the model receives it literally, through the whole library. */
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { claudeCli } from '../../src/claude/claude-cli.ts'
import { Orchestrator } from '../../src/orchestrator.ts'
import { simulatedModel } from '../../src/testing/model/simulated-model.ts'
import { REAL_CLAUDE } from '../claude/calls.ts'

/** More of them, each in a call of its own, are in tests/claude/claude-cli-prompts.test.ts. */
const PROMPTS = ['--version', '/clear', '!touch marked', 'word '.repeat(2 ** 20 / 5).trim()]

test('every prompt of a chain reaches the model literally, including one of 1 MB', async () => {
  const baseDir = await mkdtemp(join(tmpdir(), 'claude-agents-'))
  onTestFinished(() => rm(baseDir, { recursive: true, force: true, maxRetries: 5 }))
  await using model = await simulatedModel({ reply: () => 'Understood.' })
  const runner = claudeCli({ path: REAL_CLAUDE, environment: model.environment })
  await using orchestrator = await Orchestrator.open({ baseDir, runner })
  await orchestrator.createAgent({ id: 'a', systemPrompt: 'You listen.' })
  const secret = randomUUID()
  await writeFile(join(baseDir, 'secret.txt'), secret)
  const prompts = [...PROMPTS, `@${join(baseDir, 'secret.txt')}`]
  for (const [index, prompt] of prompts.entries()) {
    expect(await orchestrator.sendTask('a', prompt)).toBe('Understood.')
    const { prompt: heard, messages } = model.requests[index] ?? {}
    // Not by a matcher, which would print the megabyte.
    expect({ prompt: prompt.slice(0, 40), isLiteral: heard?.trim() === prompt }).toMatchObject({
      isLiteral: true,
    })
    expect(JSON.stringify(messages).includes(secret)).toBe(false)
  }
  expect(model.requestCount).toBe(prompts.length)
})
