/** The layout holds: a file imports its own floor and those below, and each library has its rooms. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'

const SRC = resolve(import.meta.dirname, '../src')

/** First match wins. */
const FLOORS: readonly (readonly [pattern: RegExp, floor: number])[] = [
  [/^(events\/|clock\.ts|logger\.ts|nearest-name\.ts|workflow-definition\.ts)/, 0],
  [/^(store\/|claude\/|config[a-z-]*\.ts)/, 1],
  [/^actors\//, 2],
  [/^patterns\//, 3],
  [/^inspect\/page\//, 5],
  [/^(inspect\/|history\/|telemetry\/|workflows\/|testing\/|[a-z-]+\.ts)/, 4],
  [/^cli\//, 5],
]

const LIBRARIES: Readonly<Record<string, RegExp>> = {
  effect: /^(events|store|claude)\/|^config[a-z-]*\.ts/,
  level: /^store\//,
  'classic-level': /^store\//,
  execa: /^claude\//,
  yaml: /^config-document\.ts/,
  xstate: /^actors\//,
  rxjs: /^(typed-facts\.ts|patterns\/|workflows\/|orchestrator\.ts|event-feed\.ts)/,
  'fastest-levenshtein': /^actors\/|^nearest-name\.ts/,
  '@opentelemetry': /^telemetry\//,
  commander: /^cli\//,
  '@clack': /^cli\/init-command\.ts/,
  open: /^cli\//,
  preact: /^inspect\/page\//,
  '@preact': /^inspect\/page\//,
}

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((file) => /\.tsx?$/.test(file))
const importsOf = (file: string) =>
  [...readFileSync(join(SRC, file), 'utf8').matchAll(/(?:\bfrom\s+|import\(\s*)'([^'\n]+)'/g)].map(
    ([, name]) => name ?? '',
  )
const localImports = (file: string) =>
  importsOf(file)
    .filter((name) => name.startsWith('.'))
    .map((name) => relative(SRC, resolve(SRC, dirname(file), name)))
const floorOf = (file: string) => FLOORS.find(([pattern]) => pattern.test(file))?.[1]
/** A folder; `config.ts` and the files named after it are one as well. */
const roomOf = (file: string) => file.split('/')[0]?.replace(/^config-.*/, 'config.ts')

describe('the floors', () => {
  test('every file has a floor', () => {
    expect(files.filter((file) => floorOf(file) === undefined)).toEqual([])
  })

  test('no file imports upwards or sideways', () => {
    const wrong = files.flatMap((file) =>
      localImports(file)
        .filter((target) => !target.startsWith('..'))
        .filter((target) => {
          const [own, other] = [floorOf(file) ?? 0, floorOf(target) ?? 0]
          const sideways = own === other && own !== 0 && own !== 4 && roomOf(file) !== roomOf(target)
          return other > own || sideways
        })
        .map((target) => `${file} -> ${target}`),
    )
    expect(wrong).toEqual([])
  })

  test('no import goes round in a circle', () => {
    const done = new Set<string>()
    const visit = (file: string, path: readonly string[]): string[] => {
      if (path.includes(file)) return [[...path.slice(path.indexOf(file)), file].join(' -> ')]
      if (done.has(file)) return []
      const found = localImports(file).flatMap((target) => visit(target, [...path, file]))
      done.add(file)
      return found
    }
    expect(files.flatMap((file) => visit(file, []))).toEqual([])
  })

  test('a library is used only where it belongs, and effect never by its root', () => {
    const wrong = files.flatMap((file) =>
      importsOf(file)
        .filter((name) => !/^(\.|node:)/.test(name))
        .filter((name) => name === 'effect' || !LIBRARIES[name.split('/')[0] ?? '']?.test(file))
        .map((name) => `${file} -> ${name}`),
    )
    expect(wrong).toEqual([])
  })

  test('the command line knows the library only as its users do', () => {
    const wrong = files
      .filter((file) => file.startsWith('cli/'))
      .flatMap((file) =>
        localImports(file).filter(
          (target) => !/^(cli\/|index\.ts|testing\/index\.ts|inspect\/)/.test(target),
        ),
      )
    expect(wrong).toEqual([])
  })

  test('no file holds two ideas: none is longer than 300 lines', () => {
    const long = files.filter((file) => readFileSync(join(SRC, file), 'utf8').split('\n').length > 300)
    expect(long).toEqual([])
  })
})
