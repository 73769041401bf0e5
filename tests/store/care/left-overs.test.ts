/** What killed imports, restores, repairs and exports have left is named, and the next one removes it. */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { diagnose } from '../../../src/cli/setup/diagnosis.ts'
import { importLog, restore } from '../../../src/history/log-archive.ts'
import { backupDirectory } from '../../../src/store/care/backup.ts'
import { repairStore } from '../../../src/store/care/repair.ts'
import { levelStore } from '../../../src/store/level/store.ts'
import { leftOvers, unfinishedPath } from '../../../src/store/unfinished.ts'
import { countedTo } from '../store-kit.ts'
import { temporaryDirectory } from '../temporary.ts'

const DEAD = String(spawnSync(process.execPath, ['-e', '']).pid)

/** As a process that was killed has left it. */
async function abandoned(path: string, what?: 'repair' | 'copy'): Promise<string> {
  const left = unfinishedPath(path, what).replace(`.${process.pid}-`, `.${DEAD}-`)
  await mkdir(join(left, 'log'), { recursive: true })
  return left
}

let folder: string
let source: string
let backup: string
beforeEach(async () => {
  folder = await temporaryDirectory()
  source = join(await temporaryDirectory(), 'source')
  backup = join(await temporaryDirectory(), 'backup')
  const store = await levelStore(source)
  await store.append('note/a', countedTo(3))
  await store[Symbol.asyncDispose]()
  await backupDirectory(source, backup)
})

const WORKS: Readonly<Record<string, (target: string) => Promise<unknown>>> = {
  backup: (target) => backupDirectory(source, target),
  restore: (target) => restore(backup, target),
  import: (target) => importLog(backup, target),
  repair: (target) => repairStore(source, target),
}

test.each(Object.keys(WORKS))(
  'The next %s removes what killed ones have left of the same target, and nothing else',
  async (work) => {
    const target = join(folder, 'target')
    const left = [await abandoned(target), await abandoned(target, 'repair'), await abandoned(target, 'copy')]
    const other = await abandoned(join(folder, 'other'))
    const living = unfinishedPath(target)
    await mkdir(living)
    await WORKS[work]?.(target)
    expect(left.map(existsSync)).toEqual([false, false, false])
    expect([other, living].map(existsSync)).toEqual([true, true])
  },
)

test('doctor names what killed commands have left beside the store', async () => {
  const baseDir = join(folder, 'agents')
  const left = await abandoned(join(folder, 'target'))
  const view = await abandoned(join(baseDir, 'view'), 'copy')
  expect(await leftOvers(folder)).toEqual([left])
  const checks = []
  for await (const check of diagnose({ baseDir, simulated: true, environment: {} })) checks.push(check)
  expect(checks.find(({ name }) => name === 'left-overs')).toMatchObject({
    status: 'warning',
    message: `killed commands have left ${left}, ${view}`,
    fix: expect.stringContaining('rm -r'),
  })
})
