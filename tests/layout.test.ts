/** The layout holds: imports go down, no two rooms need each other, and each library is used where it belongs. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'

const SRC = resolve(import.meta.dirname, '../src')

/** The rooms and their floors; the first match wins. A room is one idea, its folders included. */
const ROOMS: readonly (readonly [pattern: RegExp, room: string, floor: number])[] = [
  [/^events\//, 'events', 0],
  [/^(clock|logger)\.ts$/, 'ground', 0],
  [/^store\/level\//, 'store/level', 1],
  [/^store\/files\//, 'store/files', 1],
  [/^store\/care\//, 'store/care', 1],
  [/^store\/postgres\//, 'store/postgres', 1],
  [/^store\//, 'store', 1],
  [/^claude\//, 'claude', 1],
  [/^workspaces\//, 'workspaces', 1],
  [/^config\//, 'config', 1],
  [/^actors\/engine\//, 'actors/engine', 2],
  [/^actors\/admission\//, 'actors/admission', 2],
  [/^actors\/agent\//, 'actors/agent', 2],
  [/^actors\/supervision\//, 'actors/supervision', 2],
  [/^actors\/own\//, 'actors/own', 2],
  [/^landing\//, 'landing', 2],
  [/^schedules\//, 'schedules', 2],
  [/^messages\//, 'messages', 2],
  [/^notes\//, 'notes', 2],
  [/^patterns\/runs\//, 'patterns/runs', 3],
  [/^patterns\//, 'patterns', 3],
  [/^history\//, 'history', 3],
  [/^workflows\//, 'workflows', 4],
  [/^telemetry\//, 'telemetry', 4],
  [/^notifications\//, 'notifications', 4],
  [/^inbox\//, 'inbox', 4],
  [/^mcp\//, 'mcp', 4],
  [/^team\//, 'team', 4],
  [/^owner\//, 'owner', 4],
  [/^remote\//, 'remote', 4],
  [/^cluster\//, 'cluster', 4],
  [/^inspector\/page\//, 'inspector/page', 5],
  [/^inspector\//, 'inspector', 4],
  [/^testing\//, 'testing', 4],
  [/^(orchestrator|shutdown)[a-z-]*\.ts$/, 'orchestrator', 4],
  [/^(index\.ts$|entry-points\/)/, 'entry-points', 4],
  [/^cli\//, 'cli', 5],
]

const LIBRARIES: Readonly<Record<string, RegExp>> = {
  effect:
    /^(events|store|claude|config|cluster|cli\/mcp|mcp|team)\/|^(messages\/topics|notes|schedules)\/facts\.ts/,
  '@effect': /^cluster\//,
  '@modelcontextprotocol': /^(cli\/mcp|mcp|team)\//,
  level: /^store\//,
  'classic-level': /^store\//,
  pg: /^store\/postgres\//,
  croner: /^schedules\//,
  execa: /^(claude|workspaces)\//,
  yaml: /^config\/document\.ts/,
  xstate:
    /^actors\/|^(landing|messages\/topics|notes|schedules|patterns\/runs)\/machine\.ts|^history\/(kinds|state-chart)\.ts|^testing\/simulation\/tally\.ts/,
  rxjs: /^(history\/|inbox\/|landing\/|patterns\/|workflows\/|orchestrator\.ts|testing\/simulation\/nestings\.ts)/,
  'fastest-levenshtein': /^actors\/|^events\/nearest-name\.ts/,
  '@opentelemetry': /^telemetry\//,
  commander: /^cli\//,
  '@clack': /^cli\//,
  open: /^cli\//,
  marked: /^inspector\/page\//,
  preact: /^inspector\/page\//,
  '@preact': /^inspector\/page\//,
}

const DECLARATION =
  /^export (?:declare |abstract |async )*(?:function\*?|class|const|let|type|interface)\s+(\w+)/gm

/** Names that may stand for two things, each with the reason. There is none today. */
const MEAN_TWO_THINGS: ReadonlySet<string> = new Set()

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((file) => /\.tsx?$/.test(file))
const texts = new Map(files.map((file) => [file, readFileSync(join(SRC, file), 'utf8')]))
const importsOf = (file: string) =>
  [...(texts.get(file) ?? '').matchAll(/(?:\bfrom\s+|import\(\s*)'([^'\n]+)'/g)].map(([, name]) => name ?? '')
const localImports = (file: string) =>
  importsOf(file)
    .filter((name) => name.startsWith('.'))
    .map((name) => relative(SRC, resolve(SRC, dirname(file), name)))
    .filter((target) => !target.startsWith('..'))
const placeOf = (file: string) => ROOMS.find(([pattern]) => pattern.test(file))
const roomOf = (file: string) => placeOf(file)?.[1] ?? file
const floorOf = (file: string) => placeOf(file)?.[2] ?? -1

const filesBelow = (folder: string): readonly string[] =>
  readdirSync(folder, { withFileTypes: true })
    .filter(({ name }) => name !== 'node_modules')
    .flatMap((entry) =>
      entry.isDirectory() ? filesBelow(join(folder, entry.name)) : [join(folder, entry.name)],
    )

/** The first circle that each node of a graph leads into, as a path. */
function circles(nodes: readonly string[], next: (node: string) => readonly string[]): readonly string[] {
  const done = new Set<string>()
  const visit = (node: string, path: readonly string[]): string[] => {
    if (path.includes(node)) return [[...path.slice(path.indexOf(node)), node].join(' -> ')]
    if (done.has(node)) return []
    const found = next(node).flatMap((target) => visit(target, [...path, node]))
    done.add(node)
    return found
  }
  return nodes.flatMap((node) => visit(node, []))
}

describe('the layout', () => {
  test('every file has a room', () => {
    expect(files.filter((file) => !placeOf(file))).toEqual([])
  })

  test('a file imports its own floor and those below it', () => {
    const upward = files.flatMap((file) =>
      localImports(file)
        .filter((target) => floorOf(target) > floorOf(file))
        .map((target) => `${file} -> ${target}`),
    )
    expect(upward).toEqual([])
  })

  test('no two rooms need each other', () => {
    const needs = new Map<string, Set<string>>()
    for (const file of files)
      for (const target of localImports(file))
        if (roomOf(target) !== roomOf(file))
          needs.set(roomOf(file), (needs.get(roomOf(file)) ?? new Set()).add(roomOf(target)))
    expect(circles([...needs.keys()], (room) => [...(needs.get(room) ?? [])])).toEqual([])
  })

  test('what makes calls asks one door whether they may begin', () => {
    const doors = files
      .filter((file) => roomOf(file) === 'actors/agent')
      .flatMap((file) => localImports(file).filter((target) => roomOf(target) === 'actors/admission'))
    expect(new Set(doors)).toEqual(new Set(['actors/admission/admission.ts']))
  })

  test('no import goes round in a circle', () => {
    expect(circles(files, localImports)).toEqual([])
  })

  test('an exported name means one thing in the whole project', () => {
    const places = new Map<string, Set<string>>()
    for (const [file, text] of texts)
      for (const [, name = ''] of text.matchAll(DECLARATION))
        places.set(name, (places.get(name) ?? new Set()).add(file))
    const twice = [...places].filter(([name, { size }]) => size > 1 && !MEAN_TWO_THINGS.has(name))
    expect(twice.map(([name, where]) => `${name}: ${[...where].join(', ')}`)).toEqual([])
  })

  test('a room is taken in at a glance: no folder has more than 20 files, and src itself at most 6', () => {
    const folders = files.filter((file) => !file.startsWith('inspector/page/')).map((file) => dirname(file))
    const filesIn = (folder: string) => folders.filter((one) => one === folder).length
    const full = [...new Set(folders)].filter((folder) => filesIn(folder) > (folder === '.' ? 6 : 20))
    expect(full).toEqual([])
  })

  test('what the benches and scripts take from dist/ has its source', () => {
    const scripts = ['bench', 'scripts', 'tests']
      .flatMap((folder) => filesBelow(join(SRC, '..', folder)))
      // It makes the store of an old release, and so it runs that release.
      .filter((file) => file.endsWith('.mjs') && !file.endsWith('make-release-0.1.0.mjs'))
    const missing = scripts.flatMap((file) =>
      [...readFileSync(file, 'utf8').matchAll(/(?:\.\.\/dist|\$\{dist\})\/([\w/-]+)\.js['`]/g)]
        .map(([, name = '']) => `${name}.ts`)
        .filter((source) => !texts.has(source))
        .map((source) => `${relative(SRC, file)} -> ${source}`),
    )
    expect(scripts.length).toBeGreaterThan(30)
    expect(missing).toEqual([])
  })

  test('node:http is imported by the cluster alone: see decision 16', () => {
    const importing = files.filter((file) =>
      /^import (?!type\b)[^']*'node:http'/m.test(texts.get(file) ?? ''),
    )
    expect(importing.filter((file) => !file.startsWith('cluster/'))).toEqual([])
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
})
