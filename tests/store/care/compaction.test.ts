/** Compaction: killed midway, it leaves a valid store; no state changes; only orphaned blobs are removed. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type AgentFact, agentFacts } from '../../../src/events/agent-facts.ts'
import { agentConfig } from '../../../src/events/options/agent.ts'
import { compactLog, stateHash } from '../../../src/history/log-archive.ts'
import { verifyStore } from '../../../src/store/care/verification.ts'
import { levelStore } from '../../../src/store/level/store.ts'
import { few } from '../../repetitions.ts'
import { temporaryDirectory } from '../temporary.ts'

const TASKS = 500

/** An agent with many completed tasks and one pending one. Every tenth answer is a blob. */
async function history(directory: string): Promise<void> {
  await using store = await levelStore(directory)
  const append = (facts: readonly AgentFact[]) => store.append('agent/a', facts.map(agentFacts.write))
  await append([{ type: 'AgentCreated', data: { config: agentConfig({ id: 'a', systemPrompt: 'x' }) } }])
  for (let n = 0; n <= TASKS; n++) {
    const taskId = `t${n}`
    const task = {
      taskId,
      prompt: `${n} ${'p'.repeat(500)}`,
      textInput: null,
      session: 'chain',
      material: {},
    }
    const accepted = { type: 'TaskAccepted', data: task } as AgentFact
    if (n === TASKS) {
      await append([accepted])
      return
    }
    const answer = `${n} ${'a'.repeat(500)}`
    const text = n % 10 === 0 ? { ...(await store.blobs.put(answer)) } : answer
    const call = { taskId, callId: `c${n}`, attempt: 1, sessionId: `s${n}`, parentSessionId: null }
    const usage = { inputTokens: 1, outputTokens: 1, cacheReadTokens: 0, cacheCreationTokens: 0 }
    const result = {
      costUsd: 1,
      usage,
      durationMs: 1,
      turns: 1,
      model: null,
      permissionDenials: [],
      harvested: false,
    }
    await append([
      accepted,
      { type: 'CallStarted', data: { ...call, deadlineAt: '2026-01-01T00:00:00.000Z' } },
      { type: 'CallSucceeded', data: { ...call, text, ...result } },
    ])
  }
}

async function stateOf(directory: string): Promise<string> {
  await using store = await levelStore(directory)
  return (await stateHash(store)).hash
}

test('A compaction killed anywhere leaves a store that verifies, has the same state, and can be compacted again', async () => {
  const original = join(await temporaryDirectory(), 'store')
  await history(original)
  const before = await stateOf(original)
  const facts = TASKS * 3 + 2
  const stops = [
    [1, 0],
    [1400, 0],
    [facts, 1],
    [facts, 80],
    [501, 3],
    [facts, 20],
  ] as const
  const dropped = new Set<number>()
  for (const [fact, turns] of few(4, stops)) {
    const directory = join(await temporaryDirectory(), 'store')
    await cp(original, directory, { recursive: true })
    const program = join(import.meta.dirname, '../fixtures', 'compacter.mjs')
    const child = spawn(process.execPath, [program, directory, String(fact), String(turns)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [, signal] = await once(child, 'exit')
    if (turns === 0) expect(signal).toBe('SIGKILL')
    expect(await verifyStore(directory)).toMatchObject({ ok: true, findings: [], facts })
    expect(await stateOf(directory)).toBe(before)
    const rest = await compactLog(directory, { keep: 0 })
    dropped.add(TASKS * 2 - rest.facts)
    expect(await verifyStore(directory)).toMatchObject({ ok: true, blobs: 0 })
    expect(await stateOf(directory)).toBe(before)
    expect(await compactLog(directory, { keep: 0 })).toMatchObject({ facts: 0, orphans: { blobs: 0 } })
  }
  // Some were killed before anything was dropped, some midway, some after everything was.
  expect(dropped.has(0)).toBe(true)
  expect([...dropped].some((count) => count > 0 && count < TASKS * 2)).toBe(true)
  expect(dropped.has(TASKS * 2)).toBe(true)
})

test('Blobs that no fact refers to are removed, and the others stay', async () => {
  const directory = join(await temporaryDirectory(), 'store')
  await history(directory)
  const orphan = 'f'.repeat(64)
  await mkdir(join(directory, 'blobs', 'ff'), { recursive: true })
  await writeFile(join(directory, 'blobs', 'ff', orphan), 'left by a kill')
  const report = await compactLog(directory, { keep: 10 })
  expect(report).toMatchObject({ orphans: { blobs: TASKS / 10 - 1 + 1 } })
  const left = (await readdir(join(directory, 'blobs'), { recursive: true })).filter(
    (name) => name.length > 60,
  )
  expect(left).toHaveLength(1)
})
