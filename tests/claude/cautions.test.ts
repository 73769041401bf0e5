/** Warnings about agents that are not confined, each given once. */
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { cautionFor } from '../../src/claude/cautions.ts'
import { claudeCli } from '../../src/claude/claude-cli.ts'
import type { CallSettings } from '../../src/claude/runner.ts'
import { silentLogger } from '../../src/logger.ts'
import { collect, type TestAgent, testAgent } from './calls.ts'

const FAKE = join(import.meta.dirname, 'fixtures/fake-claude.sh')

const settings = (more: Partial<CallSettings>): CallSettings => ({ systemPrompt: 'x', ...more })
const of = (more: Partial<CallSettings>) => cautionFor({ agent: 'a', settings: settings(more) })

test.each<[Partial<CallSettings>, string | null]>([
  [{}, null],
  [{ allowedTools: ['Read', 'Write', 'WebFetch'] }, null],
  [{ allowedTools: ['Bash'] }, 'can run commands'],
  [{ allowedTools: ['Bash(git *)'] }, 'can run commands'],
  [{ project: true }, 'loads settings, hooks and servers'],
  [{ permissions: 'bypass', project: true }, 'runs without permission checks'],
])('an agent with %j: %s', (given, expected) => {
  expect(of(given)).toEqual(expected === null ? null : expect.stringContaining(expected))
})

test('the warning is given once per agent, after its process is known, and is logged', async () => {
  const warn = vi.fn()
  const runner = claudeCli({ path: FAKE, logger: { ...silentLogger, warn } })
  const second = async (agent: TestAgent) => {
    const call = agent.call('answer', { settings: { allowedTools: ['Bash'] } })
    const { messages } = await collect(runner, call)
    expect(messages[0]?.type).toBe('process')
    return messages[1]
  }
  const caution = { type: 'warning', message: expect.stringContaining('can run commands') }
  const [one, other] = [await testAgent(), await testAgent()]
  expect(await second(one)).toEqual(caution)
  expect(await second(one)).not.toEqual(caution)
  expect(await second(other)).toEqual(caution)
  expect(warn.mock.calls.filter(([, said]) => String(said).includes('can run commands'))).toHaveLength(2)
})
