/** `workflow report`: a run from its input to its result, for people who were not there. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { answer } from '../../../src/testing/model/answer.ts'
import type { ModelRequest } from '../../../src/testing/model/messages-api.ts'
import { simulatedModel } from '../../../src/testing/model/simulated-model.ts'
import { quickCommandLine } from '../command.ts'

const EVIL = '<script>alert(1)</script></pre>\n```\n# [x](http://evil) \u001b[31m\u202Eleft | & "'

async function world() {
  const reply = ({ system, prompt }: ModelRequest) =>
    system.includes('You are b.') && !prompt.includes('again')
      ? answer.failure(413)
      : `an answer to: ${prompt.slice(0, 5)}\n${EVIL}\nand its end`
  const model = await simulatedModel({ reply })
  const cli = await quickCommandLine(model.environment)
  for (const id of ['a', 'b']) await cli.run(['agent', 'create', id, `You are ${id}.`, '--retries', '0'])
  return { model, cli }
}

test('a report has the input, each prompt and answer in full, what failed and how to continue', async () => {
  const { model, cli } = await world()
  await using _ = model
  const task = `go on\n${'a long text '.repeat(50)}\nthe end of the task`
  const ran = await cli.run(['workflow', 'run', 'a', 'b', task, '--pattern', 'parallel', '--id', 'r1'])
  expect(ran.exitCode).toBe(1)
  const { stdout, exitCode } = await cli.run(['workflow', 'report', 'r1'])
  expect(exitCode).toBe(0)
  expect(stdout).toMatch(/^# Run r1\n\nparallel: failed\. 1 of 2 steps, /)
  expect(stdout).toContain('Resume it: `claude-agents workflow resume r1`')
  expect(stdout.match(/the end of the task\n/g)?.length).toBeGreaterThanOrEqual(3)
  expect(stdout).toMatch(/\| 1 \| a \| succeeded \|.*\n\| 2 \| b \| failed \|/)
  expect(stdout).toContain('and its end')
  // What agents said is between fences that are longer than its own.
  expect(stdout).toMatch(/\n````text\nan answer to: go on\n<script>(.|\n)*?and its end\n````\n/)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they must not be there
  expect(stdout).not.toMatch(/[\u001b\u202e]/)
})

test('a page is written into a file, loads nothing, and overwrites nothing by itself', async () => {
  const { model, cli } = await world()
  await using _ = model
  await cli.run(['workflow', 'run', 'a', `go ${EVIL}`, '--id', 'r1'])
  expect(await cli.run(['workflow', 'report', 'r1', '--output', 'r1.html'])).toMatchObject({
    ...{ exitCode: 0, stdout: '', stderr: '' },
  })
  const page = await readFile(join(cli.folder, 'r1.html'), 'utf8')
  expect(page).toContain("default-src 'none'")
  expect(page).toContain('&lt;script&gt;alert(1)&lt;/script&gt;')
  expect(page).not.toMatch(/<script|<img|href="(?!#)|src=|url\(/)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they must not be there
  expect(page).not.toMatch(/[\u001b\u202e]/)
  expect((await cli.run(['workflow', 'report', 'r1', '--html'])).stdout).toBe(page.trimEnd())
  await writeFile(join(cli.folder, 'mine.md'), 'mine\n')
  expect(await cli.run(['workflow', 'report', 'r1', '--output', 'mine.md'])).toMatchObject({
    ...{ exitCode: 2, stderr: expect.stringContaining('--force') },
  })
  expect(await readFile(join(cli.folder, 'mine.md'), 'utf8')).toBe('mine\n')
  expect((await cli.run(['workflow', 'report', 'r2'])).exitCode).toBe(1)
  expect((await cli.run(['workflow', 'report', 'r1', '--json'])).exitCode).toBe(2)
})
