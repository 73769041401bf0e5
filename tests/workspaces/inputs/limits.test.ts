/** Limits on a task's input: enforced while copying, with nothing placed. */
import { appendFile, mkdir, readdir, symlink, truncate } from 'node:fs/promises'
import { beforeEach, expect, test } from 'vitest'
import { InputTooLargeError, type LimitedBy } from '../../../src/events/errors/workspace.ts'
import type { Material } from '../../../src/events/task-input.ts'
import type { InputLimits } from '../../../src/workspaces/inputs/limits.ts'
import { makeWorld, type World } from './world.ts'

let world: World

beforeEach(async () => {
  world = await makeWorld()
})

async function expectTooLarge(
  material: Material,
  limits: Partial<InputLimits>,
  limitedBy: LimitedBy,
  options: Parameters<World['refusal']>[1] = {},
) {
  const error = await world.refusal(material, { limits, ...options })
  expect(error).toBeInstanceOf(InputTooLargeError)
  expect(error.details).toMatchObject({ limitedBy })
  expect(await readdir(world.directories.workspace)).toEqual([])
}

test('exactly as many bytes and files as the limits allow are accepted', async () => {
  await world.give('folder/a', '12345')
  await world.give('folder/b', '12345')
  const material = { folders: [{ source: world.source('folder') }] }
  expect(await world.place(material, { limits: { bytes: 10, files: 2 } })).toHaveLength(1)
})

test('one byte more is rejected', async () => {
  await world.give('folder/a', '12345')
  await world.give('folder/b', '123456')
  await expectTooLarge({ folders: [{ source: world.source('folder') }] }, { bytes: 10 }, 'bytes')
})

test('the limits apply to all inputs together', async () => {
  const files = [{ source: await world.give('a', '12345') }, { source: await world.give('b', '123456') }]
  await expectTooLarge({ files }, { bytes: 10 }, 'bytes')
  await expectTooLarge({ files }, { files: 1 }, 'files')
})

test('a file that grows while it is read is cut off', async () => {
  const source = await world.give('growing', 'x'.repeat(1000))
  let grown = 0
  const onStep = async () => {
    grown += 1
    await appendFile(source, 'x'.repeat(1000))
  }
  await expectTooLarge({ files: [{ source }] }, { bytes: 50_000 }, 'bytes', { onStep })
  expect(grown).toBeLessThan(60)
})

test('a file with a hole of a terabyte does not fill the disk', async () => {
  const source = await world.give('hole')
  await truncate(source, 1e12)
  await expectTooLarge({ files: [{ source }] }, { bytes: 1_000_000 }, 'bytes')
})

test('one file, folder or link too many is rejected', async () => {
  const material = { folders: [{ source: world.source('folder') }] }
  for (const name of ['a', 'b', 'c']) await world.give(`folder/${name}`)
  await expectTooLarge(material, { files: 2 }, 'files')
  for (const name of ['1', '2', '3', '4', '5']) await symlink('a', world.source(`folder/${name}`))
  await expectTooLarge(material, { files: 4 }, 'entries')
})

test('endlessly nested folders are rejected', async () => {
  await mkdir(world.source(`folder${'/x'.repeat(150)}`), { recursive: true })
  await expectTooLarge({ folders: [{ source: world.source('folder') }] }, {}, 'depth')
})

test('the error names the limit and the input that exceeded it', async () => {
  const source = await world.give('a', '12345')
  const error = await world.refusal({ files: [{ source }] }, { limits: { bytes: 4 } })
  expect(error.message).toBe(
    `${source}: with this, the inputs of the task exceed the limit of 4 bytes. Nothing was placed. Name only what the task needs, or raise limits.input_bytes in the configuration, or with --set limits.input_bytes=NUMBER (in code: limits.inputBytes).`,
  )
})
