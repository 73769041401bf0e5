/** What the snapshots of many turns take on disk. */
import { mkdtempSync, readdirSync, statSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execaSync } from 'execa'
import { expect, test } from 'vitest'
import { systemClock } from '../../../src/clock.ts'
import { filesOperations } from '../../../src/workspaces/files/operations.ts'
import { snapshotProblems } from '../../../src/workspaces/files/snapshots.ts'
import { isLong } from '../../repetitions.ts'

const TURNS = isLong ? 400 : 60
const CHANGE = 2048

/** Text that does not compress to nothing, and is the same each time. */
function text(seed: number, bytes: number): string {
  let state = seed + 1
  let said = ''
  while (said.length < bytes) {
    state = (state * 48_271) % 2_147_483_647
    said += `${state.toString(36)} `
  }
  return said.slice(0, bytes)
}

const bytesBelow = (directory: string): number =>
  readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0)

test('many turns that change 2 KB each take at most 3 times the changes, and all of them are there', async () => {
  const base = mkdtempSync(join(tmpdir(), 'files-size-'))
  const workspace = join(base, 'agents/dev/workspace')
  await mkdir(workspace, { recursive: true })
  const place = {
    agent: 'dev',
    workspace: undefined,
    directories: { workspace, home: join(base, 'agents/dev/home'), base },
  }
  const files = filesOperations(systemClock)
  const parts = Array.from({ length: 8 }, (_, part) => text(part, CHANGE))
  const commits: string[] = []
  for (let turn = 0; turn < TURNS; turn += 1) {
    parts[turn % parts.length] = text(1000 + turn, CHANGE)
    await files.save(place, 'before')
    await writeFile(join(workspace, 'story.txt'), parts.join('\n'))
    commits.push((await files.save(place, 'after')).commit)
  }
  // A turn that changes nothing comes after all packing.
  await files.save(place, 'at last')
  const objects = join(base, 'files.git/objects')
  expect(bytesBelow(objects)).toBeLessThan(3 * TURNS * CHANGE)
  expect(readdirSync(join(objects, 'pack')).filter((name) => name.endsWith('.pack')).length).toBeLessThan(12)
  expect(await snapshotProblems(base, commits)).toMatchObject({ missing: new Set(), others: [] })
  expect(execaSync('git', ['count-objects'], { cwd: join(base, 'files.git') }).stdout).toMatch(
    /^\d{1,3} objects/,
  )
})
