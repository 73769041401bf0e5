/**
 * What a whole run of the tests has shown: every promise of docs/semantics.md has a test that ran and passed, and no test was
 * skipped but those on a list. A reporter: without `ALLOWED_SKIPS` it only says what is missing, with it the run fails. What
 * failed, in short, is added to the file that `FAILURES` names.
 */
import { appendFileSync, readFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import type { Reporter, TestModule, Vitest } from 'vitest/node'
import { sortTests } from './quick-tests.ts'

const ROOT = resolve(import.meta.dirname, '..')

/** A test and how it ended, its name with those of its groups. */
export interface Ran {
  readonly file: string
  readonly name: string
  readonly state: string
  readonly errors?: readonly { readonly message: string }[] | undefined
}

/** A promise, and the tests that it names. */
export interface NamedPromise {
  readonly promise: string
  readonly tests: readonly { readonly file: string; readonly title: string }[]
}

/** The promises of docs/semantics.md. */
export function promisesIn(text: string): readonly NamedPromise[] {
  const [promises = ''] = text.split('## What is not promised')
  return promises
    .split(/^- /m)
    .slice(1)
    .map((item) => ({
      promise: /^\*\*([^*]+)\*\*/.exec(item)?.[1] ?? item.slice(0, 60),
      tests: [...item.matchAll(/^ {2}`(tests\/[^`]+)`: "([^"]+)"$/gm)].map(([, file = '', title = '']) => ({
        file,
        title,
      })),
    }))
}

export const semantics = () => readFileSync(join(ROOT, 'docs/semantics.md'), 'utf8')

/** What the promises say of tests that did not run and pass. */
export function unshown(promises: readonly NamedPromise[], tests: readonly Ran[]): readonly string[] {
  const passed = (file: string, title: string) =>
    tests.some((test) => test.file === file && test.state === 'passed' && hasTitle(test.name, title))
  return promises.flatMap((each) =>
    each.tests
      .filter(({ file, title }) => !passed(file, title))
      .map(({ file, title }) => `${each.promise}: ${file} has no test "${title}" that ran and passed`),
  )
}

/** A title as the docs have it, where `%s` and the like stand for a value. */
const hasTitle = (name: string, title: string): boolean => {
  const [first = '', ...rest] = title.split(/%[a-z]/)
  let at = name.indexOf(first)
  for (const part of rest) at = at < 0 ? at : name.indexOf(part, at)
  return at >= 0
}

/** The tests that were skipped and are not on the list, one a line; `#` begins a comment. */
export function unexpectedSkips(tests: readonly Ran[], allowed: string): readonly string[] {
  const list = new Set(allowed.split('\n').map((line) => line.replace(/#.*/, '').trim()))
  return tests
    .filter(({ state }) => state === 'skipped')
    .map(({ file, name }) => `${file} > ${name}`)
    .filter((test) => !list.has(test))
}

/** What failed, each with the beginning of its message: two lines. */
export const failures = (tests: readonly Ran[]): readonly string[] =>
  tests
    .filter(({ state }) => state === 'failed')
    .map(({ file, name, errors: [first] = [] }) => {
      const lines = stripVTControlCharacters(first?.message ?? 'no message').split('\n')
      const message = lines.map((line) => line.trim()).filter((line) => line !== '')
      return `${file} > ${name}\n  ${message.join(' | ').slice(0, 240)}`
    })

export default class Evidence implements Reporter {
  #vitest: Vitest | undefined

  onInit(vitest: Vitest): void {
    this.#vitest = vitest
  }

  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly { message: string }[]): void {
    const tests = modules.flatMap(ranIn)
    const { ALLOWED_SKIPS: list, FAILURES } = process.env
    if (FAILURES) {
      const others = [
        ...modules.map((module) => ({ file: path(module), name: '(the file)', errors: module.errors() })),
        { file: 'no test', name: '(an error that nobody caught)', errors: unhandled },
      ].filter(({ errors }) => errors.length > 0)
      const failed = failures([...tests, ...others.map((each) => ({ ...each, state: 'failed' }))])
      appendFileSync(FAILURES, failed.map((each) => `${each}\n`).join(''))
    }
    if (!this.#isWhole(tests)) return
    const skips = unexpectedSkips(tests, list === undefined ? '' : readFileSync(join(ROOT, list), 'utf8'))
    const missing = unshown(promisesIn(semantics()), tests)
    for (const skip of skips) process.stderr.write(`skipped: ${skip}\n`)
    for (const each of missing) process.stderr.write(`not shown: ${each}\n`)
    if (list !== undefined && skips.length + missing.length > 0) process.exitCode = 1
  }

  /** Whether every file ran, and no titles were chosen. */
  #isWhole(tests: readonly Ran[]): boolean {
    const { quick, others } = sortTests()
    const ran = new Set(tests.map(({ file }) => file))
    return (
      !this.#vitest?.config.testNamePattern && [...quick, ...others.keys()].every((file) => ran.has(file))
    )
  }
}

const path = (module: TestModule): string => relative(ROOT, module.moduleId)

const ranIn = (module: TestModule): readonly Ran[] =>
  [...module.children.allTests()].map((test) => ({
    file: path(module),
    name: test.fullName,
    ...test.result(),
  }))
