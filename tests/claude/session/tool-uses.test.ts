/** The tools of one turn are read from whichever transcript has it, whatever an agent has written there. */
import { randomUUID } from 'node:crypto'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { configDirectory } from '../../../src/claude/environment.ts'
import { Sessions } from '../../../src/claude/session/sessions.ts'
import { toolUsesOf } from '../../../src/claude/session/tool-uses.ts'
import { testAgent } from '../calls.ts'

const line = (type: string, content: unknown, rest: object = {}) => {
  const uuid = randomUUID()
  return { uuid, text: `${JSON.stringify({ type, uuid, message: { id: uuid, content }, ...rest })}\n` }
}

const use = (id: string, name: string, input: unknown) => ({ type: 'tool_use', id, name, input })
const result = (id: string, content: unknown, isError = false) => ({
  ...{ type: 'tool_result', tool_use_id: id, content, is_error: isError },
})

test('the tools of a turn are those between its prompt and its answer, also in a later transcript', async () => {
  const { directories } = await testAgent()
  const folder = join(configDirectory(directories.home), 'projects/work')
  await mkdir(folder, { recursive: true })
  const first = [
    line('user', 'List the files'),
    line('assistant', [use('1', 'Bash', { command: 'ls' })]),
    line('user', [result('1', [{ type: 'text', text: 'a.txt' }])]),
    line('assistant', [{ type: 'text', text: 'There is a.txt.' }]),
  ]
  const second = [
    line('user', 'Read it'),
    line('assistant', [use('2', 'Read', { file: 'a.txt' }), use('3', 'Write', 'x'.repeat(100_000))]),
    line('assistant', [use('4', 'Task', {})], { isSidechain: true }),
    line('user', [result('2', 'one'), result('3', 'no permission', true), result('9', 'of no use')]),
    {
      uuid: '',
      text: '{"type":"assistant","message":{"content":[{"type":"tool_use","name":7}]}}\nno JSON\n',
    },
    line('assistant', [{ type: 'text', text: 'one' }]),
  ]
  const text = (lines: readonly { text: string }[]) => lines.map((one) => one.text).join('')
  await writeFile(join(folder, 'session-1.jsonl'), text(first))
  await writeFile(join(folder, 'session-2.jsonl'), text([...first, ...second]))
  await new Sessions(directories.home).record('session-1', {
    line: first.at(-1)?.uuid ?? '',
    chainCostUsd: null,
  })
  const ofFirst = [{ tool: 'Bash', input: '{\n  "command": "ls"\n}', result: 'a.txt', isError: false }]
  expect(await toolUsesOf(directories.home, 'session-1')).toEqual(ofFirst)
  expect(await toolUsesOf(directories.home, 'session-2')).toEqual([
    { tool: 'Read', input: '{\n  "file": "a.txt"\n}', result: 'one', isError: false },
    { tool: 'Write', input: 'x'.repeat(4000), result: 'no permission', isError: true },
    { tool: '', input: '', result: null, isError: false },
  ])
  await rm(join(folder, 'session-1.jsonl'))
  expect(await toolUsesOf(directories.home, 'session-1')).toEqual(ofFirst)
  expect(await toolUsesOf(directories.home, 'session-3')).toBe(null)
})
