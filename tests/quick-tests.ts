/** Which tests are quick: those that start no process and need no build. And which need a process of their own. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'

const ROOT = resolve(import.meta.dirname, '..')

/** What starts a process. */
const STARTERS = new Set(['node:child_process', 'execa', 'playwright-core'])

/** Here the ports meet what stands behind them: a test that comes this far says which runner it has. */
const COMPOSITION = new Set(['src/orchestrator.ts', 'src/index.ts'])

/** The built package, and programs that the tests start. */
const PROGRAMS = /['"/]dist\/|\bfixtures\/[\w-]+\.(mjs|sh)\b|['"][\w-]+\.(mjs|sh)['"]/

/** Files of tests share processes, unless one replaces what is shared, such as a module, or measures it, such as the heap. */
const OWN_PROCESS = [
  /\bvi\.mock\(/,
  /\bvi\.useFakeTimers\(/,
  /\bspyOn\(process\b/,
  /\bprocess\.chdir\(/,
  /\bprocess\.env(\.\w+|\[[^\]]+\]) = |\bdelete process\.env\b/,
  /\bprocess\.(memoryUsage|getActiveResourcesInfo)\b|\bqueryObjects\(|\/proc\/self\/fd['"]/,
]

/** They run the engine of a cluster, which needs a newer Node than the product. */
const NEWER_NODE = [
  'chaos',
  'clients',
  'full-disk',
  'labels',
  'messages',
  'moving',
  'other-cluster',
  'runs',
  'workers',
].map((name) => `tests/cluster/${name}.test.ts`)
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
const isNewNode = major > 22 || (major === 22 && minor >= 19)

const IMPORTS =
  /^(?:import|export)\s(?!type\s)[^'"]*?from '([^']+)'|^import '([^']+)'|\bimport\('([^']+)'\)/gm

/** It looks at what is shared when a file has ended: it needs no process of its own. */
const END_OF_FILE = 'tests/end-of-file.ts'

interface Sorted {
  quick: string[]
  /** Why each of the others is none: the path from it to what it starts. */
  others: ReadonlyMap<string, readonly string[]>
  /** Those of the others that need a process of their own. */
  alone: string[]
}

/** The files of the tests that this Node can run. */
export function sortTests(root = ROOT): Sorted {
  const quick: string[] = []
  const others = new Map<string, readonly string[]>()
  for (const file of readdirSync(join(root, 'tests'), { recursive: true, encoding: 'utf8' }).sort()) {
    if (!file.endsWith('.test.ts') || (!isNewNode && NEWER_NODE.includes(join('tests', file)))) continue
    const path = pathToProcess(root, join('tests', file), new Set())
    if (path === null) quick.push(join('tests', file))
    else others.set(join('tests', file), path)
  }
  const alone = [...others.keys()].filter((file) => ownProcess(readFileSync(join(root, file), 'utf8')))
  return { quick, others, alone }
}

const ownProcess = (text: string): string | undefined =>
  OWN_PROCESS.map((pattern) => pattern.exec(text)?.[0]).find((found) => found !== undefined)

function pathToProcess(root: string, file: string, seen: Set<string>): readonly string[] | null {
  if (seen.has(file) || COMPOSITION.has(file) || !existsSync(join(root, file))) return null
  seen.add(file)
  const text = readFileSync(join(root, file), 'utf8')
  const program = PROGRAMS.exec(text)
  if (program) return [file, program[0]]
  const own = file.startsWith('tests') && file !== END_OF_FILE ? ownProcess(text) : undefined
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
