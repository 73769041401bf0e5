/** The size of a conversation on disk. */
import { randomBytes } from 'node:crypto'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Orchestrator } from '../../../src/orchestrator.ts'
import { scriptedRunner } from '../../../src/testing/scripted-runner.ts'
import { temporaryDirectory } from '../../store/temporary.ts'

const TURNS = 400
/** The prompt and the answer, together 2 KB that do not compress. */
const HALF = 1024
const words = () => randomBytes(HALF).toString('base64').slice(0, HALF)

async function bytesIn(directory: string): Promise<number> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile())
  const sizes = await Promise.all(
    files.map(async ({ parentPath, name }) => (await stat(join(parentPath, name))).size),
  )
  return sizes.reduce((sum, size) => sum + size, 0)
}

test('400 turns of 2 KB on one agent take at most 5 times the payload, open and closed', async () => {
  const baseDir = await temporaryDirectory()
  const orchestrator = await Orchestrator.open({ baseDir, runner: scriptedRunner({ reply: words }) })
  const agent = await orchestrator.createAgent({ id: 'a', systemPrompt: 'You are a test.' })
  for (let turn = 0; turn < TURNS; turn++) await agent.ask(words())
  const payload = TURNS * 2 * HALF
  const whileOpen = (await bytesIn(baseDir)) / payload
  await orchestrator.close()
  await (await Orchestrator.open({ baseDir, runner: scriptedRunner() })).close()
  const closed = (await bytesIn(baseDir)) / payload
  process.stderr.write(`store: ${whileOpen.toFixed(2)} times the payload open, ${closed.toFixed(2)} closed\n`)
  expect(whileOpen).toBeLessThan(5)
  expect(closed).toBeLessThan(5)
})
