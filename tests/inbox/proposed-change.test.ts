/** The patch of a tool call that waits, against files as an agent may have left them. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { JsonObject } from '../../src/events/json.ts'
import { proposedChange } from '../../src/inbox/proposed-change.ts'
import { temporaryDirectory } from '../store/temporary.ts'

async function world() {
  const baseDir = await temporaryDirectory()
  const workspace = join(baseDir, 'agents', 'dev', 'workspace')
  mkdirSync(join(workspace, 'src'), { recursive: true })
  const change = (tool: string, input: JsonObject) => proposedChange({ agent: 'dev', tool, input }, baseDir)
  const write = (file_path: string, content = 'new\n') => change('Write', { file_path, content })
  return { baseDir, workspace, change, write }
}

const texts = (change: Awaited<ReturnType<typeof proposedChange>>) => change?.patch.map(([, text]) => text)

test('a file that is written, edited or made is shown as a patch, by any of its paths', async () => {
  const { workspace, change, write } = await world()
  const path = join(workspace, 'src', 'a.ts')
  writeFileSync(path, 'one\ntwo\nthree\n')
  const edit = { old_string: 'two', new_string: '2' }
  const expected = ['@@ -1,3 +1,3 @@', ' one', '-two', '+2', ' three']
  for (const file_path of [path, 'src/a.ts', './src/../src/a.ts'])
    expect(texts(await change('Edit', { file_path, ...edit })), file_path).toEqual(expected)
  expect(await write(path, 'one\n2\nthree\n')).toMatchObject({ path: join('src', 'a.ts'), problem: null })
  expect(texts(await write(path, 'one\n2\nthree\n'))).toEqual(expected)
  expect(texts(await write('src/deep/new.ts'))).toEqual(['@@ -0,0 +1,1 @@', '+new'])
  const edits = [edit, { old_string: 'e', new_string: 'E', replace_all: true }]
  expect(texts(await change('MultiEdit', { file_path: path, edits }))).toEqual([
    '@@ -1,3 +1,3 @@',
    ...['-one', '-two', '-three', '+onE', '+2', '+thrEE'],
  ])
  writeFileSync(path, 'one\r\ntwo\r\nthree\r\n')
  expect(
    texts(await change('Edit', { file_path: path, old_string: 'one\ntwo', new_string: '1\n2' })),
  ).toEqual(['@@ -1,3 +1,3 @@', ...['-one\\x0d', '-two\\x0d', '+1\\x0d', '+2\\x0d', ' three\\x0d']])
  expect(readFileSync(path, 'utf8')).toBe('one\r\ntwo\r\nthree\r\n')
})

test('a call that would fail, or changes nothing, says so', async () => {
  const { workspace, change, write } = await world()
  const file_path = join(workspace, 'a.txt')
  writeFileSync(file_path, 'a a\n')
  const problemOf = async (old_string: string) =>
    (await change('Edit', { file_path, old_string, new_string: 'b' }))?.problem
  expect(await problemOf('c')).toBe('The text to replace is not in the file now.')
  expect(await problemOf('a')).toBe('The text to replace is in the file 2 times, so the call would fail.')
  expect(await problemOf('')).toBe('The file is not empty, so the call would fail.')
  expect((await write(file_path, 'a a\n'))?.problem).toBe('Nothing would change.')
  expect((await change('Write', { file_path }))?.problem).toBe('The call has no text to write.')
  // What became of the file while one looked.
  writeFileSync(file_path, 'c\n')
  expect(await problemOf('c')).toBeNull()
})

test('nothing but a regular file in the workspace is read, and nothing is waited for', async () => {
  const { baseDir, workspace, write } = await world()
  writeFileSync(join(baseDir, 'secret'), 'secret\n')
  execFileSync('mkfifo', [join(workspace, 'pipe')])
  symlinkSync(join(baseDir, 'secret'), join(workspace, 'link'))
  symlinkSync(baseDir, join(workspace, 'folder'))
  symlinkSync(join(baseDir, 'nothing'), join(workspace, 'dangling'))
  writeFileSync(join(workspace, 'binary'), Buffer.from([1, 0, 2]))
  writeFileSync(join(workspace, 'large'), 'x'.repeat(2 * 1024 * 1024))
  const problems = {
    pipe: /not a regular file/,
    src: /not a regular file/,
    link: /is a link/,
    'folder/secret': /not a regular file/,
    'folder/new': /not a regular file/,
    dangling: /is a link/,
    binary: /binary/,
    large: /too large/,
    'large/below': /not a regular file|cannot be read/,
    '../../../secret': /outside of the workspace/,
    '/etc/passwd': /outside of the workspace/,
    '.': /outside of the workspace/,
    'nul\0': /cannot be read/,
    ['x'.repeat(300)]: /cannot be read/,
  }
  for (const [path, problem] of Object.entries(problems)) {
    const change = await write(path)
    expect(change?.problem, path).toMatch(problem)
    expect(change?.patch, path).toEqual([])
  }
  expect(
    await proposedChange({ agent: 'gone', tool: 'Write', input: { file_path: 'a', content: '' } }, baseDir),
  ).toMatchObject({
    problem: 'The file cannot be read (ENOENT).',
  })
})

test('names and texts are made visible, and what is long is cut', async () => {
  const { workspace, write } = await world()
  const hostile = '\u202Egnp.exe\u001b[31m'
  writeFileSync(join(workspace, 'a.txt'), `${hostile}\n`)
  expect(await write('a.txt', `${'x'.repeat(5000)}\n`)).toMatchObject({
    patch: [
      ['hunk', '@@ -1,1 +1,1 @@'],
      ['removed', '-\\u202egnp.exe\\x1b[31m'],
      ['added', `+${'x'.repeat(999)}… (5001 characters)`],
    ],
  })
  expect(await write(`${hostile}\n+++ b`, 'x\n')).toMatchObject({ path: '\\u202egnp.exe\\x1b[31m\\x0a+++ b' })
  const long = await write('b.txt', 'line\n'.repeat(100_000))
  expect([long?.patch.length, long?.moreLines]).toEqual([400, 99_601])
})

test('a call that would make a file huge, or do much, costs little', async () => {
  const { workspace, change } = await world()
  const file_path = join(workspace, 'a.txt')
  writeFileSync(file_path, 'a'.repeat(1024 * 1024))
  const edit = (old_string: string, new_string: string) => ({ old_string, new_string, replace_all: true })
  expect(await change('Edit', { file_path, ...edit('a', 'b\n'.repeat(100)) })).toMatchObject({
    ...{ patch: [], problem: 'What the call would write is too large to be compared.' },
  })
  expect((await change('Write', { file_path, content: '\n'.repeat(3_000_000) }))?.problem).toMatch(
    /too large/,
  )
  const edits = Array.from({ length: 50 }, () => edit('a', 'aa'))
  expect((await change('MultiEdit', { file_path, edits }))?.problem).toMatch(/too large/)
  const many = Array.from({ length: 1000 }, (_, at) => (at % 2 === 0 ? edit('a', 'b') : edit('b', 'a')))
  expect((await change('MultiEdit', { file_path, edits: many }))?.problem).toBe(
    'The call has too many edits to be compared.',
  )
})

test('other calls have no patch', async () => {
  const { baseDir, change } = await world()
  expect(await change('Bash', { command: 'ls' })).toBeNull()
  expect(await change('constructor', { file_path: 'a' })).toBeNull()
  expect(await change('Write', { content: 'x' })).toBeNull()
  expect(await proposedChange({ agent: null, tool: 'Write', input: {} }, baseDir)).toBeNull()
  expect(
    await proposedChange({ agent: 'dev', tool: 'Write', input: { file_path: 'a' } }, undefined),
  ).toBeNull()
})
