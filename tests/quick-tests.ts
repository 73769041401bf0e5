/** Which tests are quick: those that start no process and need no build. They share processes; each of the others has its own. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'

const ROOT = resolve(import.meta.dirname, '..')

/** What starts a process. */
const STARTERS = new Set(['node:child_process', 'execa', 'playwright-core'])

/** Here the ports meet what stands behind them: a test that comes this far says which runner it has. */
const COMPOSITION = new Set(['src/orchestrator.ts', 'src/index.ts'])

/** The built package, and programs that the tests start. */
const PROGRAMS = /['"/]dist\/|\bfixtures\/[\w-]+\.(mjs|sh)\b|['"][\w-]+\.(mjs|sh)['"]/

/** Quick tests share their modules and their heap: a test that replaces one, or counts the other, is none. */
const OWN_PROCESS = ['vi.mock(', 'queryObjects(']

const IMPORTS =
  /^(?:import|export)\s(?!type\s)[^'"]*?from '([^']+)'|^import '([^']+)'|\bimport\('([^']+)'\)/gm

interface Sorted {
  quick: string[]
  /** Why each of the others is none: the path from it to what it starts. */
  others: ReadonlyMap<string, readonly string[]>
}

/** The files of the tests. */
export function sortTests(root = ROOT): Sorted {
  const quick: string[] = []
  const others = new Map<string, readonly string[]>()
  for (const file of readdirSync(join(root, 'tests'), { recursive: true, encoding: 'utf8' }).sort()) {
    if (!file.endsWith('.test.ts')) continue
    const path = pathToProcess(root, join('tests', file), new Set())
    if (path === null) quick.push(join('tests', file))
    else others.set(join('tests', file), path)
  }
  return { quick, others }
}

const ownProcess = (text: string) => OWN_PROCESS.find((call) => text.includes(call))

function pathToProcess(root: string, file: string, seen: Set<string>): readonly string[] | null {
  if (seen.has(file) || COMPOSITION.has(file) || !existsSync(join(root, file))) return null
  seen.add(file)
  const text = readFileSync(join(root, file), 'utf8')
  const program = PROGRAMS.exec(text)
  if (program) return [file, program[0]]
  const own = ownProcess(text)
  if (own !== undefined) return [file, own]
  for (const [, ...names] of text.matchAll(IMPORTS)) {
    const name = names.find((each) => each !== undefined) ?? ''
    if (STARTERS.has(name)) return [file, name]
    if (!name.startsWith('.')) continue
    const path = pathToProcess(root, relative(root, resolve(root, dirname(file), name)), seen)
    if (path) return [file, ...path]
  }
  return null
}
