/** What `npm pack` puts into the tarball, and what the README says of it. */
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { execa } from 'execa'
import { beforeAll, describe, expect, test } from 'vitest'

const ROOT = resolve(import.meta.dirname, '../..')
const json = async (file: string) => JSON.parse(await readFile(join(ROOT, file), 'utf8'))
const readme = () => readFile(join(ROOT, 'README.md'), 'utf8')

describe('The tarball', () => {
  let files: readonly string[]
  beforeAll(async () => {
    // The tests run the built package: it is there.
    const { stdout } = await execa('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: ROOT })
    const [packed] = Object.values(JSON.parse(stdout)) as { files: { path: string }[] }[]
    files = (packed?.files ?? []).map(({ path }) => path)
  })

  test('holds the compiled code with its types and maps, the inspector, the schema, README and LICENSE, and nothing else', () => {
    const isCode = (path: string) => /^dist\/.+\.(js|js\.map|d\.ts)$/.test(path)
    expect(files.filter((path) => !isCode(path)).sort()).toEqual([
      'LICENSE',
      'README.md',
      'dist/claude-agents.schema.json',
      'dist/inspector/page/icon.svg',
      'dist/inspector/page/index.html',
      'dist/inspector/page/page.css',
      'package.json',
    ])
    const scripts = files.filter((path) => path.endsWith('.js') && path !== 'dist/inspector/page/page.js')
    const beside = (extension: string) => scripts.map((path) => path.replace(/\.js$/, extension))
    expect(files).toEqual(expect.arrayContaining([...beside('.js.map'), ...beside('.d.ts')]))
  })

  test('holds whatever package.json points to', async () => {
    const { exports, bin } = await json('package.json')
    const targets = Object.values(exports as Record<string, string | Record<string, string>>).flatMap(
      (target) => (typeof target === 'string' ? [target] : Object.values(target)),
    )
    for (const target of [...targets, ...Object.values<string>(bin)])
      expect(files).toContain(target.replace(/^\.\//, ''))
  })

  test('has the sources in its maps, and no path of the machine that it was built on', async () => {
    const map = await json('dist/orchestrator.js.map')
    expect(map.sources).toEqual(['../src/orchestrator.ts'])
    expect(map.sourcesContent).toEqual([await readFile(join(ROOT, 'src/orchestrator.ts'), 'utf8')])
  })
})

test('The README names each dependency with a reason', async () => {
  const { dependencies, peerDependencies } = await json('package.json')
  const [, table = ''] = (await readme()).split('## Dependencies')
  const named = [...table.matchAll(/^\| \[([^\]]+)\]\([^)]+\) \| .{10,} \|$/gm)].map(([, name]) => name)
  expect(named.sort()).toEqual([...Object.keys(dependencies), ...Object.keys(peerDependencies)].sort())
})

test('The README says how many packages an installation brings', async () => {
  const { packages } = await json('package-lock.json')
  const brought = Object.entries<Record<string, boolean>>(packages).filter(
    ([path, { dev, devOptional, peer, optional }]) =>
      path !== '' && !dev && !devOptional && !peer && !optional,
  )
  expect(await readme()).toContain(`\n${brought.length} packages in all`)
})
