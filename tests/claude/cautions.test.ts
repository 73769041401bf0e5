/** Warnings about agents that are not confined, each given once. */
import { expect, test, vi } from 'vitest'
import { cautionFor, withCautions } from '../../src/claude/cautions.ts'
import type { Call, CallSettings } from '../../src/claude/runner.ts'
import { silentLogger } from '../../src/logger.ts'

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
  const start = withCautions(
    async function* start() {
      yield { type: 'process', pid: 1, startTime: null }
      yield { type: 'text', text: 'hello' }
    },
    { ...silentLogger, warn },
  )
  const typesOf = async (agent: string) => {
    const call = {
      agent,
      settings: settings({ allowedTools: ['Bash'] }),
      directories: { home: agent },
    } as Call
    const types: string[] = []
    for await (const { type } of start(call, { signal: new AbortController().signal })) types.push(type)
    return types
  }
  expect(await typesOf('a')).toEqual(['process', 'warning', 'text'])
  expect(await typesOf('a')).toEqual(['process', 'text'])
  expect(await typesOf('b')).toEqual(['process', 'warning', 'text'])
  expect(warn).toHaveBeenCalledTimes(2)
})
