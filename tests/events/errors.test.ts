/** The rules that every error of this package follows. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { AgentNotFoundError } from '../../src/events/errors/agent.ts'
import { ClaudeAgentError, describeError } from '../../src/events/errors/base.ts'
import { CallTimeoutError, ClaudeExecutionError } from '../../src/events/errors/call.ts'
import { callErrorFrom, errorData } from '../../src/events/errors/recorded.ts'
import type { VersionConflict } from '../../src/events/errors/store.ts'
import { errorFrom, errorLine } from '../../src/owner/wire.ts'
import { classes, made } from './all-errors.ts'

test('every error is named in some test beside this one', () => {
  const folder = join(import.meta.dirname, '..')
  const tests = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter(
      (name) =>
        /(^|\/)[^./][^/]*\.(ts|mjs)$/.test(name) && !/(errors\.test|all-errors|hints\.test)\.ts$/.test(name),
    )
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

  test('has one full stop where it ends with what others have said in a sentence', () => {
    const said = 'They have gone.'
    // The problem of a clone is one of a few words.
    const details = name === 'CloneError' ? { said } : { problem: said, reason: said }
    expect(made(name, ErrorClass, details).summary).not.toMatch(/\.\./)
  })

  test('points to the place where it was created', () => {
    expect(error.stack?.split('\n    at ')[1]).toContain('all-errors.ts')
  })

  test("is the same at the other end of the owner's socket", () => {
    const arrived = errorFrom(JSON.parse(JSON.stringify(errorLine(error))))
    const { _tag, summary, message, hint, retryable } = error
    expect(arrived).toBeInstanceOf(ErrorClass)
    expect(arrived).toMatchObject({ _tag, summary, message, hint, retryable })
    expect(arrived.details).toEqual(errorData(error).details)
  })
})

test('the hint of a call error that is retried is for when it was retried for the last time', () => {
  const retried = classes
    .map(([name, ErrorClass]) => made(name, ErrorClass))
    .filter((error) => error instanceof ClaudeExecutionError && error.retryable)
  expect(retried.length).toBeGreaterThan(4)
  expect(retried.filter(({ hint }) => /is tried again/.test(hint)).map(({ name }) => name)).toEqual([])
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
