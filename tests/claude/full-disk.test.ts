/** The disk with the directories of agents is full: each call says so, costs nothing, and the next one works once there is room. */
import { chmod, mkdir, readFile, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { claudeCli } from '../../src/claude/claude-cli.ts'
import { Orchestrator } from '../../src/orchestrator.ts'
import { memoryStore } from '../../src/store/memory-store.ts'
import { canMount, smallDisk } from '../mounted.ts'
import { temporaryDirectory } from '../store/temporary.ts'

/** Looks like claude. Writes a file, says that it has begun, and answers once it may. */
const PROGRAM = `#!/bin/sh
[ "$1" = --version ] && { echo '2.1.197 (Claude Code)'; exit; }
cat > "$HERE/prompt"
echo '{"type":"system","subtype":"status","status":"requesting"}'
echo work > work.txt
echo begun >> "$HERE/begun"
while [ -e "$HERE/wait" ]; do sleep 0.01; done
printf '{"type":"system","subtype":"longer than what is left of a page","text":"%05000d"}\\n' 0
echo '{"type":"result","subtype":"success","is_error":false,"result":"fine","total_cost_usd":0.01}'
`

async function opened() {
  const disk = await smallDisk()
  const here = await temporaryDirectory()
  const path = join(here, 'claude')
  await writeFile(path, PROGRAM)
  await chmod(path, 0o700)
  const environment = { HERE: here, ANTHROPIC_API_KEY: 'none' }
  const warned: string[] = []
  const orchestrator = await Orchestrator.open({
    store: memoryStore(),
    baseDir: join(disk.directory, 'base'),
    runner: claudeCli({ path, environment, graceMs: 100 }),
    agentDefaults: { retry: { attempts: 1, minDelayMs: 1 } },
    logger: { debug() {}, info() {}, warn: (_, message) => warned.push(message), error() {} },
  })
  onTestFinished(() => orchestrator.close())
  const wait = join(here, 'wait')
  return {
    ...{ disk, orchestrator, warned },
    begun: async () => (await readFile(join(here, 'begun'), 'utf8').catch(() => '')).split('\n').length - 1,
    hold: () => mkdir(wait),
    release: () => rmdir(wait),
  }
}

const failuresOf = async ({ history }: Orchestrator) => {
  const failures: { tag: string; message: string }[] = []
  for await (const { type, data } of history.log())
    if (type === 'CallFailed') failures.push(data.error as never)
  return failures
}

describe.skipIf(!canMount)('On a full disk', () => {
  test('no call begins, the task fails with the place and what to do, and the next one works once there is room', async () => {
    const { disk, orchestrator, begun } = await opened()
    const agent = await orchestrator.createAgent({ id: 'a', systemPrompt: 'x', budget: { usd: 1 } })
    expect((await agent.ask('one')).text).toBe('fine')
    await disk.fill()
    await expect(agent.ask('two')).rejects.toMatchObject({
      _tag: 'DiskFullError',
      message: expect.stringMatching(/The disk with the files of the agent is full: .*\. Free some space/),
      retryable: true,
    })
    expect(await begun()).toBe(1)
    expect((await failuresOf(orchestrator)).map(({ tag }) => tag)).toEqual(['DiskFullError', 'DiskFullError'])
    expect((await orchestrator.budgets.show({ agent: 'a' })).spent.usd).toBe(0.01)
    await disk.free()
    expect((await agent.ask('three')).text).toBe('fine')
  })

  test('an answer that found no room is a failure that says so', async () => {
    const { disk, orchestrator, begun, hold, release } = await opened()
    const agent = await orchestrator.createAgent({ id: 'a', systemPrompt: 'x' })
    await hold()
    const asked = expect(agent.ask('one')).rejects.toMatchObject({ _tag: 'DiskFullError' })
    await vi.waitFor(async () => expect(await begun()).toBe(1))
    await disk.fill()
    await release()
    await asked
    expect(await failuresOf(orchestrator)).toMatchObject([
      { message: expect.stringMatching(/the disk is full: .*home/) },
      { tag: 'DiskFullError' },
    ])
    await disk.free()
    expect((await agent.ask('two')).text).toBe('fine')
  })
})
