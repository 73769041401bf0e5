/** The record of what was placed lies where its agent can write: whatever stands in it, nothing outside the workspace is looked at. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { beforeEach, expect, test } from 'vitest'
import { InputChangedError } from '../../../src/events/errors/workspace.ts'
import { RECORD_NAME, readPlacedRecord } from '../../../src/workspaces/inputs/placed-record.ts'
import { makeWorld, type World } from './world.ts'

let world: World

beforeEach(async () => {
  world = await makeWorld()
})

const recordFile = () => join(world.directories.home, RECORD_NAME)
const file = (path: string) => [path, 'file', 1, 'digest']
const records = (target: string, path: string, kept: string) => ({
  survey: [file(path)],
  pending: [{ target, survey: [file(path)] }],
  placedBy: [[target, 'placing']],
  kept: { placing: 'run-1', at: [[target, kept]] },
})
const good = { target: 'proj', path: 'proj/.git/index', kept: 'proj.replaced-1' }

test('a record counts as none if a path in it leads out of the workspace, wherever it stands', async () => {
  const step = fc.constantFrom('x', '', '.', '..', '.git')
  const leadingOut = fc
    .array(step, { minLength: 1, maxLength: 5 })
    .filter((steps) => steps.some((one) => ['', '.', '..'].includes(one)))
    .map((steps) => steps.join('/'))
  const read = async (record: unknown) => {
    await writeFile(recordFile(), JSON.stringify(record))
    return readPlacedRecord(world.directories.home)
  }
  const { target, path: within, kept } = good
  expect((await read(records(target, within, kept))).pending).toMatchObject([{ target }])
  const none = await read('unreadable')
  await fc.assert(
    fc.asyncProperty(leadingOut, async (out) => {
      expect(await read(records(target, out, kept))).toEqual(none)
      expect(await read(records(target, within, out))).toEqual(none)
      for (const { target: pending } of (await read(records(out, within, kept))).pending)
        expect(pending).toMatch(/^x(\/x)*$/)
    }),
  )
})

test.each(['../../../outside/precious', 'proj/../..', '..', '/x', '/'])(
  'a record with the path %j ends no placement, and holds none up',
  async (path) => {
    await world.give('folder/a.txt')
    await mkdir(world.at('proj'))
    await writeFile(world.at('proj/made'), 'x')
    const folder = { folders: [{ source: world.source('folder'), target: 'proj' }] }
    for (const record of [
      { ...records(path, 'proj', 'proj'), survey: [] },
      { ...records('proj', path, 'proj'), pending: [] },
      { ...records('proj', `proj/${path}`, 'proj'), pending: [] },
    ]) {
      await writeFile(recordFile(), JSON.stringify(record))
      const error = await world.refusal(folder)
      expect(error).toBeInstanceOf(InputChangedError)
      expect(error).toMatchObject({ details: { changes: '' } })
    }
  },
)

test('a record of thousands of inputs that were never placed does not hold up a placement', async () => {
  await world.give('folder/a.txt')
  const numbers = Array.from({ length: 3000 }, (_, number) => number)
  const pending = numbers.map((number) => ({ target: `missing-${number}`, survey: [] }))
  const survey = numbers.map((number) => file(`placed-${number}`))
  await writeFile(recordFile(), JSON.stringify({ ...records('a', 'a', 'a'), survey, pending }))
  await world.place({ folders: [{ source: world.source('folder'), target: 'proj' }] })
  const record = await readPlacedRecord(world.directories.home)
  expect(record).toMatchObject({ pending: [] })
  expect(record.survey.get('placed-2999')).toBeDefined()
})
