/** Temporary files of tests are in memory only where that can hold them, and starts programs as a disk does. */
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { folderInMemory } from './surroundings.ts'

test('a folder on a disk, or none at all, is not in memory', () => {
  expect(['/proc', '/nowhere', import.meta.dirname].map((parent) => folderInMemory(parent))).toEqual([
    undefined,
    undefined,
    undefined,
  ])
})

test('a folder in memory is for everyone, is empty, and starts programs', () => {
  const folder = folderInMemory()
  // There is no room.
  if (folder === undefined) return
  onTestFinished(() => rm(folder, { recursive: true }))
  expect(statSync(folder).mode & 0o7777).toBe(0o1777)
  expect(existsSync(join(folder, 'program'))).toBe(false)
  const program = join(folder, 'said')
  writeFileSync(program, '#!/bin/sh\necho it runs\n', { mode: 0o700 })
  expect(execFileSync(program, { encoding: 'utf8' })).toBe('it runs\n')
})

test('what a killed run has left is removed by the next one, and what another one works in is not', async () => {
  const { pid } = spawnSync('true')
  const [left, used] = [pid, process.ppid].map((each) => `/dev/shm/cma-${each}-test`)
  const folder = folderInMemory()
  if (folder === undefined || left === undefined || used === undefined) return
  onTestFinished(async () => {
    for (const each of [left, used, folder]) await rm(each, { recursive: true, force: true })
  })
  for (const each of [left, used]) mkdirSync(join(each, 'store'), { recursive: true })
  const next = folderInMemory()
  if (next !== undefined) onTestFinished(() => rm(next, { recursive: true }))
  expect([left, used, folder].map((each) => existsSync(each))).toEqual([false, true, true])
})
