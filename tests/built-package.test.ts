/** Tests of the command line never run an old build: what has changed since is built first. */
import { mkdir, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { isBuilt } from './built-package.ts'

test('a build is as old as what it was made from: any later change makes it count as none', async () => {
  const root = await mkdtemp(join(tmpdir(), 'claude-agents-'))
  onTestFinished(() => rm(root, { recursive: true }))
  const places = ['src/cli/main.ts', 'src/index.ts', 'scripts/build.mjs', 'package.json', 'tsconfig.json']
  for (const folder of ['src/cli', 'scripts']) await mkdir(join(root, folder), { recursive: true })
  const age = (name: string, seconds: number) => utimes(join(root, name), seconds, seconds)
  for (const name of places) await writeFile(join(root, name), '')
  for (const name of [...places, 'src', 'src/cli', 'scripts']) await age(name, 1000)
  expect(isBuilt(root)).toBe(false)
  await mkdir(join(root, 'dist'))
  await writeFile(join(root, 'dist', 'index.js'), '')
  await age('dist/index.js', 2000)
  expect(isBuilt(root)).toBe(true)
  for (const name of [...places, 'src/cli']) {
    await age(name, 3000)
    expect([name, isBuilt(root)]).toEqual([name, false])
    await age(name, 1000)
  }
  expect(isBuilt(root)).toBe(true)
})
