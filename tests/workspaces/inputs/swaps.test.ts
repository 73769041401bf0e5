/** Another process swaps a directory for a link at the worst moment: nothing is read or written elsewhere. */
import { execFileSync } from 'node:child_process'
import { mkdir, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { beforeEach, describe, expect, test } from 'vitest'
import { InputTooLargeError, WorkspaceError } from '../../../src/events/errors/workspace.ts'
import type { PlacingStep } from '../../../src/workspaces/inputs/file-copy.ts'
import { expectNothingLeft, makeWorld, type World } from './world.ts'

let world: World

beforeEach(async () => {
  world = await makeWorld()
})

/** Runs once, when that step is reached. */
const at = (name: PlacingStep['name'], path: string, swap: () => Promise<void>) => {
  let done = false
  return async (step: PlacingStep) => {
    if (done || step.name !== name || step.path !== path) return
    done = true
    await swap()
  }
}

async function swapForLink(path: string, to: string) {
  await rename(path, `${path}-moved`)
  await symlink(to, path)
}

const everything = async (path: string) => (await readdir(path, { recursive: true })).map(String).sort()

describe.each(['descriptor', 'path'] as const)('with the %s as the address', (addressing) => {
  test("the target's directory, swapped for a link, leads nowhere outside", async () => {
    const source = await world.give('x', 'new')
    await mkdir(world.at('deep'))
    const placing = world.place(
      { files: [{ source, target: 'deep/x' }] },
      {
        addressing,
        onStep: at('parent-opened', 'deep/x', () => swapForLink(world.at('deep'), world.outside('.'))),
      },
    )
    if (addressing === 'path') await expect(placing).rejects.toBeInstanceOf(WorkspaceError)
    // The directory that was opened got the file, wherever it is now.
    else await placing.then(async () => expect(await everything(world.at('deep-moved'))).toEqual(['x']))
    await expectNothingLeft(world)
  })

  test('the workspace itself, swapped for a link, leads nowhere outside', async () => {
    const source = await world.give('x', 'new')
    await world
      .place(
        { files: [{ source }] },
        {
          addressing,
          onStep: at('parent-opened', 'x', () =>
            swapForLink(world.directories.workspace, world.outside('.')),
          ),
        },
      )
      .catch((error: unknown) => expect(error).toBeInstanceOf(WorkspaceError))
    await expectNothingLeft(world)
  })

  test('a link that appears at the target is replaced', async () => {
    const source = await world.give('x', 'new')
    const onStep = at('parent-opened', 'x', () => symlink(world.outside('precious'), world.at('x')))
    await world.place({ files: [{ source }] }, { addressing, onStep })
    await expectNothingLeft(world)
  })

  test('a file of a folder, swapped for a link to a secret, is not read', async () => {
    await world.give('folder/file')
    const onStep = at('entry-seen', 'file', () =>
      swapForLink(world.source('folder/file'), world.outside('precious')),
    )
    const [placed] = await world.place(
      { folders: [{ source: world.source('folder') }] },
      { addressing, onStep },
    )
    expect(placed).toMatchObject({ files: 0, skipped: 1 })
    expect(await everything(world.at('folder'))).toEqual([])
  })

  test('a file of a folder, swapped for a pipe, blocks nothing', async () => {
    await world.give('folder/file')
    const onStep = at('entry-seen', 'file', async () => {
      await rm(world.source('folder/file'))
      execFileSync('mkfifo', [world.source('folder/file')])
    })
    const [placed] = await world.place(
      { folders: [{ source: world.source('folder') }] },
      { addressing, onStep },
    )
    expect(placed).toMatchObject({ files: 0, skipped: 1 })
  })

  test('a folder in a folder, swapped for a link before it is entered, is not entered', async () => {
    await world.give('folder/deep/file')
    const onStep = at('entry-seen', 'deep', () =>
      swapForLink(world.source('folder/deep'), world.outside('.')),
    )
    await world.place({ folders: [{ source: world.source('folder') }] }, { addressing, onStep })
    expect(await everything(world.at('folder'))).not.toContain('deep/precious')
  })

  test('a folder in a folder, swapped for a link after it was entered, reveals nothing of the other', async () => {
    await world.give('folder/deep/a')
    await world.give('folder/deep/precious', 'not that one')
    const onStep = at('entry-seen', 'deep/a', () =>
      swapForLink(world.source('folder/deep'), world.outside('.')),
    )
    const placing = world.place({ folders: [{ source: world.source('folder') }] }, { addressing, onStep })
    if (addressing === 'path') await expect(placing).rejects.toBeInstanceOf(WorkspaceError)
    else expect((await placing)[0]).toMatchObject({ files: 2, bytes: 'folder/deep/anot that one'.length })
    await expectNothingLeft(world)
  })
})

test('a folder that grows while it is read reaches the limit', async () => {
  await world.give('folder/z/file')
  let made = 1
  const onStep = async ({ name }: PlacingStep) => {
    if (name !== 'entry-seen') return
    made += 1
    // Each folder contains one more by the time it is entered.
    const path = world.source(`folder${'/z'.repeat(made)}`)
    await mkdir(path, { recursive: true })
    await writeFile(`${path}/file`, 'x')
  }
  const error = await world.refusal(
    { folders: [{ source: world.source('folder') }] },
    { onStep, limits: { files: 20 } },
  )
  expect(error).toBeInstanceOf(InputTooLargeError)
})
