/** Before the tests that run `dist/`: it is built anew when anything that it is made of has changed since. */
import { execFileSync } from 'node:child_process'
import { readdirSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'

const ROOT = resolve(import.meta.dirname, '..')
const SOURCES = [
  'src',
  'scripts',
  'package.json',
  'package-lock.json',
  'tsconfig.json',
  'tsconfig.build.json',
]

export function setup(): void {
  if (isBuilt()) return
  process.stderr.write('dist/ is older than its sources: building it.\n')
  execFileSync(process.execPath, [join(ROOT, 'scripts/build.mjs')], {
    stdio: ['ignore', 'inherit', 'inherit'],
  })
}

/** Whether dist/ was made after the last change of its sources; what was removed has changed its folder. */
export function isBuilt(root = ROOT): boolean {
  const built = statSync(join(root, 'dist/index.js'), { throwIfNoEntry: false })
  return built !== undefined && SOURCES.every((name) => lastChange(join(root, name)) <= built.mtimeMs)
}

function lastChange(path: string): number {
  const stats = statSync(path, { throwIfNoEntry: false })
  if (stats === undefined) return 0
  if (!stats.isDirectory()) return stats.mtimeMs
  return Math.max(stats.mtimeMs, ...readdirSync(path).map((name) => lastChange(join(path, name))))
}
