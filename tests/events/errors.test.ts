/** The rules that every error of this package follows. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { AgentNotFoundError } from '../../src/events/errors/agent.ts'
import { ClaudeAgentError, describeError, type ErrorOptions } from '../../src/events/errors/base.ts'
import { CallTimeoutError } from '../../src/events/errors/call.ts'
import { callErrorFrom, errorData } from '../../src/events/errors/recorded.ts'
import type { VersionConflict } from '../../src/events/errors/store.ts'
import { errorFrom, errorLine } from '../../src/owner/wire.ts'

type AnyErrorClass = new (details: object, options?: ErrorOptions) => ClaudeAgentError

const FOLDER = join(import.meta.dirname, '../../src/events/errors')

/** Details for any error: each class uses its own part. */
const DETAILS = {
  ...{ agent: 'writer', nearest: null, mailbox: 3, maxAgents: 4, taskId: 't1', runId: 'r1', by: 'ann' },
  ...{ reason: 'approval', message: 'It waits.', hint: 'Wait.', tasks: 2, paused: true, status: 'succeeded' },
  ...{
    stream: 'agent/writer',
    expected: 4,
    actual: 5,
    found: 6,
    known: 7,
    position: 8,
    version: 9,
    last: 10,
  },
  ...{ time: '2026-01-01', first: '2026-01-02', step: '11', steps: 12, type: 'TaskAsked', v: 13 },
  ...{ machine: 'quota', state: 'open', construct: 'after', what: 'agent', id: '-', rule: 'a letter' },
  ...{ path: '/store', file: 'log/000001.log', line: 14, key: 'e!15', sha256: 'abc', bytes: 16, limit: 17 },
  ...{ attempts: 18, pid: 19, port: 20, code: 'EACCES', url: 'https://a/b', limitMs: 21, limitedBy: 'files' },
  ...{ kind: 'file', source: '/a', supervisor: 'top', child: 'a', command: 'deleteChild', where: 'a' },
  ...{ commitId: 'commit-1' },
  ...{ restarts: 22, withinMs: 23, remedy: '', said: 'so', problem: 'network' },
}

const SPECIAL: Readonly<Record<string, object>> = {
  ConfigError: [{ place: 'a.yaml:1:1', problem: 'this must be text', hint: '' }],
  ConfigNotTrustedError: {
    file: '/a.yaml',
    hasChanged: true,
    problems: [{ place: 'a.yaml:1:1', problem: 'it grants tools to all agents', hint: '' }],
  },
  OtherRunnerError: { path: '/store', pid: 19, runner: 'claude', simulate: true },
  InputChangedError: { target: 'proj', changes: 'edited a.txt' },
  ChildNotFoundError: { ...DETAILS, known: ['b'] },
}

const modules = await Promise.all(
  readdirSync(FOLDER).map((file) => import(join(FOLDER, file)) as Promise<Record<string, unknown>>),
)
/** Base classes, and the class for recorded errors, have no tag of their own. */
const NO_TAG = ['ClaudeAgentError', 'ClaudeExecutionError', 'RecordedError']
const classes = modules.flatMap((module) =>
  Object.entries(module).filter(
    (entry): entry is [string, AnyErrorClass] =>
      typeof entry[1] === 'function' &&
      entry[1].prototype instanceof ClaudeAgentError &&
      !NO_TAG.includes(entry[0]),
  ),
)
const made = (name: string, ErrorClass: AnyErrorClass) =>
  new ErrorClass(SPECIAL[name] ?? DETAILS, { cause: 'why' })

test('every error is named in some test beside this one', () => {
  const folder = join(import.meta.dirname, '..')
  const tests = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.(ts|mjs)$/.test(name) && !name.endsWith('events/errors.test.ts'))
    .map((name) => readFileSync(join(folder, name), 'utf8'))
    .join('\n')
  expect(classes.map(([name]) => name).filter((name) => !tests.includes(name))).toEqual([])
})

test('no two errors have the same tag', () => {
  const tags = classes.map(([name, ErrorClass]) => made(name, ErrorClass)._tag)
  expect(tags.length).toBeGreaterThan(80)
  expect(new Set(tags).size).toBe(tags.length)
})

describe.each(classes)('%s', (name, ErrorClass) => {
  const error = made(name, ErrorClass)

  test('has its name as its tag, is an instance of its class, and keeps its cause', () => {
    expect(error).toBeInstanceOf(ErrorClass)
    expect(error).toBeInstanceOf(ClaudeAgentError)
    expect([error._tag, error.name, error.cause]).toEqual([name, name, 'why'])
    expect(describeError(error)).toEqual({ code: name, message: error.summary, hint: error.hint })
  })

  test('says what happened in full sentences, and then what to do', () => {
    expect(error.summary).toMatch(/[^.][.?]$/)
    expect(error.message).toBe(error.hint === '' ? error.summary : `${error.summary} ${error.hint}`)
    expect(error.message).not.toMatch(/undefined|null|NaN|\[object|\$\{|\s\s/)
  })

  test('points to the place where it was created', () => {
    expect(error.stack?.split('\n    at ')[1]).toContain('errors.test.ts')
  })

  test("is the same at the other end of the owner's socket", () => {
    const arrived = errorFrom(JSON.parse(JSON.stringify(errorLine(error))))
    const { _tag, summary, message, hint, retryable } = error
    expect(arrived).toBeInstanceOf(ErrorClass)
    expect(arrived).toMatchObject({ _tag, summary, message, hint, retryable })
    expect(arrived.details).toEqual(errorData(error).details)
  })
})

test('a recorded call error is thrown again as an instance of its class, with the recorded message', () => {
  const error = callErrorFrom({
    ...errorData(new CallTimeoutError()),
    message: 'As once said.',
    hint: 'Wait.',
  })
  expect(error).toBeInstanceOf(CallTimeoutError)
  expect(error).toMatchObject({ summary: 'As once said.', hint: 'Wait.', message: 'As once said. Wait.' })
})

test('the tag discriminates a union of errors for the compiler', () => {
  const versionOf = (error: VersionConflict | CallTimeoutError): number | undefined =>
    error._tag === 'VersionConflict' ? error.details.expected : error.details.status
  expect(versionOf(new CallTimeoutError({ status: 529 }))).toBe(529)
})

test('an error is an instance of no class but its own and its bases, also where a minifier has renamed all of them', () => {
  const names = classes.map(([, ErrorClass]) => Object.getOwnPropertyDescriptor(ErrorClass, 'name'))
  for (const [, ErrorClass] of classes)
    Object.defineProperty(ErrorClass, 'name', { value: 'e', configurable: true })
  onTestFinished(() => {
    for (const [at, [, ErrorClass]] of classes.entries())
      Object.defineProperty(ErrorClass, 'name', names[at] as PropertyDescriptor)
  })
  class OfAProgram extends AgentNotFoundError {}
  for (const [name, ErrorClass] of classes) {
    const error = made(name, ErrorClass)
    expect(classes.filter(([, Other]) => error instanceof Other).map(([other]) => other)).toEqual([name])
    expect(error).not.toBeInstanceOf(OfAProgram)
  }
  expect(new OfAProgram({ agent: 'a', nearest: null })).toBeInstanceOf(AgentNotFoundError)
})
