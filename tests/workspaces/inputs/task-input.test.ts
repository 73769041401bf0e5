/** A task with input: checked before anything is read, and normalized. */

import * as Schema from 'effect/Schema'
import { expect, test } from 'vitest'
import { InvalidInputError } from '../../../src/events/errors/usage.ts'
import {
  checkTaskInput,
  FileMapping,
  GitHubRepo,
  LARGEST_PROMPT,
  type TaskInput,
  withoutCredentials,
} from '../../../src/events/task-input.ts'

const check = (material: Omit<TaskInput, 'prompt'>) => checkTaskInput({ prompt: 'do it', ...material })

test('sources become absolute, and targets default to the name of the source', () => {
  const task = check({
    files: [{ source: 'notes.txt' }, { source: '/tmp/x', target: './docs//x' }],
    folders: [{ source: '/tmp/data/' }],
    repos: [{ url: 'https://github.com/owner/name.git', ref: 'main' }],
  })
  expect(task).toEqual({
    prompt: 'do it',
    files: [
      { source: `${process.cwd()}/notes.txt`, target: 'notes.txt' },
      { source: '/tmp/x', target: 'docs/x' },
    ],
    folders: [{ source: '/tmp/data', target: 'data' }],
    repos: [{ url: 'https://github.com/owner/name.git', ref: 'main', target: 'name' }],
  })
  expect(checkTaskInput(task)).toEqual(task)
})

test('a task without input is unchanged', () => {
  expect(checkTaskInput('do it')).toEqual({ prompt: 'do it' })
  expect(check({ files: [], textInput: 'x' })).toEqual({ prompt: 'do it', textInput: 'x' })
})

test('a prompt with its text may be as large as claude reads, and no larger', () => {
  const text = (bytes: number) => 'x'.repeat(bytes - 'do it\n\n'.length)
  expect(check({ textInput: text(LARGEST_PROMPT) }).textInput).toHaveLength(LARGEST_PROMPT - 7)
  for (const task of [
    { prompt: 'do it', textInput: text(LARGEST_PROMPT + 1) },
    { prompt: 'ä'.repeat(LARGEST_PROMPT / 2 + 1) },
  ]) {
    expect(() => checkTaskInput(task)).toThrow(InvalidInputError)
    expect(() => checkTaskInput(task)).toThrow(
      'The prompt: it is larger than the 10 MB that a prompt can have',
    )
  }
})

test.each([
  [{ files: {} }, /files: it is not a list/],
  [{ files: null }, /files: it is not a list/],
  [{ files: ['x'] }, /files\[0\]: it is not an object/],
  [{ files: [{}] }, /files\[0\]\.source: it is not a path/],
  [{ files: [{ source: '' }] }, /files\[0\]\.source: it is empty/],
  [{ files: [{ source: 'a\0b' }] }, /files\[0\]\.source: it is not a path/],
  [{ files: [{ source: '/' }] }, /files\[0\]\.target: it is empty/],
  [{ files: [{ source: '/x', tagret: 'y' }] }, /unknown property "tagret"/],
  [{ folders: [{ source: '/x/.git' }] }, /folders\[0\]\.target: it leads into a \.git/],
  [{ folders: [{ source: '/x', target: '../y' }] }, /folders\[0\]\.target: it contains \.\./],
  [{ repos: [{ url: 'ext::sh' }] }, /repos\[0\]\.url: ext::/],
  [{ repos: [{ url: '/etc' }] }, /repos\[0\]\.url: repositories on this machine/],
  [{ repos: [{ url: 'https://h/x', ref: '-u' }] }, /repos\[0\]\.ref/],
  [{ repos: [{ url: 'https://h/.git' }] }, /repos\[0\]\.target: it is empty/],
  [{ files: [{ source: '/a/x' }, { source: '/b/x' }] }, /"x" is given twice/],
  [{ files: [{ source: '/x' }], folders: [{ source: '/y', target: 'x/y' }] }, /"x" is a file/],
])('%j is rejected', (material, problem) => {
  // What an untyped program could pass.
  const input = material as unknown as Omit<TaskInput, 'prompt'>
  expect(() => check(input)).toThrow(InvalidInputError)
  expect(() => check(input)).toThrow(problem)
})

test('one input may be inside another, which is how a file is put into a repository', () => {
  const { files } = check({
    files: [{ source: '/x/.env', target: 'name/.env' }],
    repos: [{ url: 'https://github.com/owner/name' }],
  })
  expect(files?.[0]?.target).toBe('name/.env')
})

test('a repository can be recorded without its credentials', () => {
  expect(withoutCredentials({ url: 'https://me:hunter2@example.org/x', ref: 'main' })).toEqual({
    url: 'https://example.org/x',
    ref: 'main',
  })
})

test('the shapes are schemas, for facts', () => {
  expect(Schema.decodeUnknownSync(FileMapping)({ source: 'a' })).toEqual({ source: 'a' })
  expect(() => Schema.decodeUnknownSync(GitHubRepo)({ ref: 'a' })).toThrow()
})
