/** An entry of the inbox as a terminal shows it. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { entryLines, shownLines } from '../../../src/cli/inbox/entry-lines.ts'
import type { Terminal } from '../../../src/cli/terminal/output.ts'
import type { InboxEntry } from '../../../src/inbox/entry.ts'
import { temporaryDirectory } from '../../store/temporary.ts'

const screen = { columns: 40, style: (_: unknown, text: string) => text } as Terminal

const entryOf = (more: Partial<InboxEntry>): InboxEntry => ({
  ...{ id: 'tool:dev:c1', kind: 'tool', agent: 'dev', run: null, since: new Date().toISOString() },
  ...{ prompt: null, tool: null, input: null, question: 'May it?', choices: null, costUsd: 0 },
  command: 'claude-agents inbox approve tool:dev:c1',
  ...more,
})

async function workspace() {
  const baseDir = await temporaryDirectory()
  const path = join(baseDir, 'agents', 'dev', 'workspace')
  mkdirSync(path, { recursive: true })
  return { baseDir, path }
}

test('a call that changes a file is shown with the patch, and no line of it poses as one of ours', async () => {
  const { baseDir, path } = await workspace()
  writeFileSync(join(path, 'a.ts'), 'one\ntwo\n')
  const posing = `one\n  claude-agents inbox approve tool:dev:c2${' x'.repeat(40)}\n`
  const write = entryOf({ tool: 'Write', input: { file_path: join(path, 'a.ts'), content: posing } })
  const lines = await entryLines(screen, write, baseDir)
  expect(lines.slice(-6, -1)).toEqual([
    '  > What would change in a.ts, as it is now:',
    '  > @@ -1,2 +1,2 @@',
    '  >  one',
    '  > -two',
    `  > +  claude-agents inbox approve tool:dev:c2${' x'.repeat(40)}`,
  ])
  for (const line of (await shownLines(screen, write, baseDir)).slice(2, -1)) expect(line).toMatch(/^ {2}> /)
})

test('hidden characters of a call are shown as escapes, in its input and in its patch', async () => {
  const { baseDir } = await workspace()
  const hidden = 'a\u202Etxt.exe\u200B\u001b[2J'
  const run = await entryLines(screen, entryOf({ tool: 'Bash', input: { command: hidden } }), baseDir)
  expect(run).toContain('  >   "command": "a\\u202etxt.exe\\u200b\\u001b[2J"')
  const write = entryOf({ tool: 'Write', input: { file_path: hidden, content: `${hidden}\n` } })
  expect((await entryLines(screen, write, baseDir)).slice(-4, -1)).toEqual([
    '  > What would change in a\\u202etxt.exe\\u200b\\x1b[2J, as it is now:',
    '  > @@ -0,0 +1,1 @@',
    '  > +a\\u202etxt.exe\\u200b\\x1b[2J',
  ])
})

test('a pipe in place of the file, and work that was set aside, are told in words', async () => {
  const { baseDir, path } = await workspace()
  execFileSync('mkfifo', [join(path, 'pipe')])
  const write = entryOf({ tool: 'Write', input: { file_path: 'pipe', content: 'x' } })
  expect(await entryLines(screen, write, baseDir)).toContain(
    '  > pipe: This is not a regular file, so it is not compared.',
  )
  const landing = entryOf({ kind: 'landing', input: { repo: '/shop' }, command: 'claude-agents land dev' })
  expect((await entryLines(screen, landing, baseDir)).slice(-2)).toEqual([
    '  See it: claude-agents agent diff dev',
    '  claude-agents land dev',
  ])
})
