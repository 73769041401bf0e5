/** The pages for contributors name files that exist, and the reading path stays short enough to be read. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { AgentEffect } from '../../src/actors/agent/decisions.ts'
import { KINDS } from '../../src/history/kinds.ts'
import type { LandingEffect } from '../../src/landing/machine.ts'
import type { ScheduleEffect } from '../../src/schedules/machine.ts'
import { ROOT, read } from './documents.ts'

/** Paths in code font, from the root of the repository; `<topic>` and `*` stand for several. */
const pathsIn = (text: string) =>
  [...text.matchAll(/`((?:src|tests|docs|scripts|bench|examples|\.ci)\/[^`\s]*)`/g)]
    .map(([, path = '']) => path)
    .filter((path) => !/[<*]/.test(path))

const missingIn = (text: string) => pathsIn(text).filter((path) => !existsSync(join(ROOT, path)))

test.each(['docs/architecture.md', 'CONTRIBUTING.md', 'AGENTS.md'])(
  'Every path named in %s exists',
  (page) => {
    expect(missingIn(read(page))).toEqual([])
  },
)

test('A path that does not exist is reported', () => {
  expect(missingIn('`src/index.ts`, `src/nothing.ts` and `src/cli/<topic>/words.ts`')).toEqual([
    'src/nothing.ts',
  ])
})

test('The reading path in docs/architecture.md can be read in an afternoon', () => {
  const [, section = ''] = read('docs/architecture.md').split('## The reading path')
  const files = [...(section.split('\n## ')[0] ?? '').matchAll(/\]\(\.\.\/(src\/[^)]+)\)/g)].map(
    ([, file = '']) => file,
  )
  const lines = files.map((file) => read(file).split('\n').length).reduce((sum, count) => sum + count, 0)
  expect(files.length).toBeGreaterThanOrEqual(25)
  expect(lines).toBeLessThan(5700)
})

/** The compiler asks for all of them. */
const EFFECTS = {
  agent: { begin: true, wake: true, call: true, end: true, retry: true, deadline: true } satisfies Record<
    AgentEffect['type'],
    true
  >,
  landing: {
    start: true,
    merge: true,
    judge: true,
    move: true,
    'merge-in': true,
    ask: true,
  } satisfies Record<LandingEffect['does'], true>,
  schedule: { wait: true, begin: true } satisfies Record<ScheduleEffect['does'], true>,
}

test('The table of actors in docs/architecture.md has every kind, and the effects of each', () => {
  const [, section = ''] = read('docs/architecture.md').split('\n## Which actors act by themselves\n')
  const rows = (section.split('\n## ')[0] ?? '').split('\n').filter((line) => line.startsWith('| '))
  const cells = rows.map((row) => row.split('|').map((cell) => cell.trim()))
  const streams = cells.map(([, , stream = '']) => stream).join(' ')
  expect(KINDS.map(({ kind }) => kind).filter((kind) => !streams.includes(`\`${kind}/`))).toEqual([])
  for (const [kind, effects] of Object.entries(EFFECTS)) {
    const [, , , named = ''] = cells.find(([, name]) => name === kind) ?? []
    expect([...named.matchAll(/`([a-z-]+)`/g)].map(([, effect]) => effect).sort()).toEqual(
      Object.keys(effects).sort(),
    )
  }
})
