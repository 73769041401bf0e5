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

  test('holds the library with its types, the command, the inspector, the schema, README and LICENSE, and nothing else', () => {
    const isCode = (path: string) => /^dist\/.+\.(js|d\.ts)$/.test(path)
    expect(files.filter((path) => !isCode(path)).sort()).toEqual([
      'LICENSE',
      'README.md',
      'dist/claude-agents.schema.json',
      'dist/cli/third-party-licenses.txt',
      'dist/inspector/page/icon.svg',
      'dist/inspector/page/index.html',
      'dist/inspector/page/page.css',
      'package.json',
    ])
    const library = files.filter(
      (path) => path.endsWith('.js') && !/^dist\/(cli|inspector\/page)\//.test(path),
    )
    expect(library).toContain('dist/index.js')
    expect(files).toEqual(expect.arrayContaining(library.map((path) => path.replace(/\.js$/, '.d.ts'))))
  })

  test('names the licence of each package that is in the command', async () => {
    const licenses = await readFile(join(ROOT, 'dist/cli/third-party-licenses.txt'), 'utf8')
    for (const name of ['commander', 'effect', 'execa', 'rxjs', 'xstate', 'yaml'])
      expect(licenses).toMatch(new RegExp(`^${name} \\d.+\\([A-Z].+\\)$`, 'm'))
  })

  test('holds whatever package.json points to', async () => {
    const { exports, bin } = await json('package.json')
    const targets = Object.values(exports as Record<string, string | Record<string, string>>).flatMap(
      (target) => (typeof target === 'string' ? [target] : Object.values(target)),
    )
    for (const target of [...targets, ...Object.values<string>(bin)])
      expect(files).toContain(target.replace(/^\.\//, ''))
  })

  test('has no source maps, and no path of the machine that it was built on', async () => {
    for (const file of files.filter((path) => /\.(js|d\.ts|json|txt)$/.test(path))) {
      const text = await readFile(join(ROOT, file), 'utf8')
      expect(`${file}: ${/sourceMappingURL=\S*/.exec(text)?.[0]}`).toBe(`${file}: undefined`)
      expect(`${file}: ${text.includes(ROOT)}`).toBe(`${file}: false`)
    }
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
