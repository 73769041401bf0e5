/** Power loss at every moment of real work: what was said to be done is there, and what is there is whole. */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type AgentFact, agentFacts } from '../../../src/events/agent-facts.ts'
import { agentConfig } from '../../../src/events/options/agent.ts'
import { stateHash } from '../../../src/history/log-archive.ts'
import { archiveFile } from '../../../src/store/care/archive/source.ts'
import { importStore, restoreStore } from '../../../src/store/care/restore.ts'
import { verifyStore } from '../../../src/store/care/verification.ts'
import { levelStore } from '../../../src/store/level/store.ts'
import { repetitions } from '../../repetitions.ts'
import { randomNumbers } from '../random-numbers.ts'
import { canRecord, moments, nothing, something } from '../recorded-disk.ts'
import { all, contents } from '../store-kit.ts'
import { temporaryDirectory } from '../temporary.ts'

const PROGRAM = join(import.meta.dirname, '../fixtures', 'recorded-work.mjs')
const SEED = Number(process.env.SEED ?? 1)
/** How often another part of what was not synced survives, at each moment. */
const LOSSES = repetitions('LOSSES', { short: 1, long: 4 })
/** Of the moments at which nothing new was said, how many pass from one that is tried to the next. */
const EVERY = repetitions('POWER_LOSS_EVERY', { short: 6, long: 1 })

/** Copies of the disk as they may be found after a power loss at any moment of some work, and what was said by then. */
async function* powerLosses(work: string, base: string, every = EVERY) {
  process.stderr.write(`power loss: ${work}, SEED=${SEED}\n`)
  const random = randomNumbers(SEED)
  const trace = join(await temporaryDirectory(), 'trace')
  const found = join(await temporaryDirectory({ inMemory: true }), 'found')
  const parts = Array.from({ length: LOSSES }, () => something(random))
  let passed = SEED
  for (const { disk, said, isNews, call } of moments(base, trace, [process.execPath, PROGRAM, work, base])) {
    if (!isNews && ++passed % every !== 0) continue
    for (const survival of isNews ? [nothing, ...parts] : parts) {
      disk.writeTo(found, survival)
      const left = survival === nothing ? 'nothing' : 'a part'
      yield {
        found,
        said,
        moment: `${call} after "${said.at(-1) ?? ''}", ${left} of what was not synced is left`,
      }
    }
  }
}

/** Does a check unless it was done on the same files before. */
function onceForEach(check: (path: string, ...what: never[]) => Promise<void>) {
  const seen = new Set<string>()
  return async (path: string, ...what: unknown[]) => {
    const isFile = (await stat(path).catch(() => null))?.isFile()
    const files = isFile ? [await readFile(path, 'hex')] : existsSync(path) ? [...(await contents(path))] : []
    const key = createHash('sha256')
      .update(JSON.stringify([files, what]))
      .digest('hex')
    if (!seen.has(key)) await check(path, ...(what as never[]))
    seen.add(key)
    return seen.size
  }
}

/** The number that was said last of something. */
const lastOf = (said: readonly string[], what: string) =>
  Number(said.findLast((line) => line.startsWith(`${what} `))?.split(' ')[1] ?? 0)

const checkStore = async (directory: string, atLeast: number) => {
  if (atLeast > 0) {
    const { ok, findings } = await verifyStore(directory)
    expect([ok, findings]).toEqual([true, []])
  }
  await using store = await levelStore(directory)
  const facts = await all(store.readAll())
  expect(facts.map(({ data }) => data.n)).toEqual(facts.map((_, index) => index + 1))
  expect(facts.length).toBeGreaterThanOrEqual(atLeast)
  for (const { data } of facts)
    expect(await store.blobs.get(data.body as never)).toBe(`${data.of} `.repeat(50))
  // Each group is whole.
  expect(facts.length % 2).toBe(0)
}

describe.runIf(canRecord)('A power loss at any moment', { timeout: 300_000 }, () => {
  test('loses nothing acknowledged, tears no append, and leaves a store that opens', async () => {
    const base = await temporaryDirectory()
    const check = onceForEach(checkStore)
    let checked = 0
    for await (const { found, said, moment } of powerLosses('append', base)) {
      await expect(check(join(found, 'store'), lastOf(said, 'facts')), moment).resolves.toBeGreaterThan(0)
      checked++
    }
    expect(checked).toBeGreaterThan(100 / EVERY)
  })

  test('leaves a finished copy whole, and an unfinished one without its name', async () => {
    const base = await temporaryDirectory()
    const check = onceForEach(checkStore)
    const checkFile = onceForEach(async (file: string) => {
      const target = join(await temporaryDirectory({ inMemory: true }), 'copy')
      const archive = await archiveFile(file)
      await (file.endsWith('.backup')
        ? restoreStore(archive, target)
        : importStore(archive, target, () => null))
      await checkStore(target, 6)
    })
    const seen = new Set<string>()
    for await (const { found, said, moment } of powerLosses('copy', base)) {
      for (const [what, name] of Object.entries({
        facts: 'store',
        restored: 'restored',
        repaired: 'repaired',
        backup: 'store.backup',
        export: 'store.ndjson',
      })) {
        const atLeast = lastOf(said, what)
        const path = join(found, name)
        if (
          atLeast === 0 &&
          !existsSync(what === 'backup' || what === 'export' ? path : join(path, 'store.json'))
        )
          continue
        seen.add(what)
        const checking = what === 'backup' || what === 'export' ? checkFile(path) : check(path, atLeast)
        await expect(checking, `${what}: ${moment}`).resolves.toBeGreaterThan(0)
      }
    }
    expect([...seen].sort()).toEqual(['backup', 'export', 'facts', 'repaired', 'restored'])
  })

  test('during a compaction leaves every state as it was, and a store that verifies', async () => {
    const base = await temporaryDirectory()
    await history(join(base, 'store'))
    const before = await stateOf(join(base, 'store'))
    const check = onceForEach(async (directory: string) => {
      expect(await verifyStore(directory)).toMatchObject({ ok: true, findings: [], facts: 1 + TASKS * 3 })
      expect(await stateOf(directory)).toBe(before)
    })
    const sizes = new Set<number>()
    for await (const { found, moment } of powerLosses('compact', base, 1)) {
      const checking = check(join(found, 'store'))
      await expect(checking, moment).resolves.toBeGreaterThan(0)
      sizes.add(await checking)
    }
    expect(sizes.size).toBeGreaterThan(5)
  })
})

const TASKS = 3

/** An agent with finished tasks whose answers are blobs. */
async function history(directory: string): Promise<void> {
  await using store = await levelStore(directory)
  const append = (facts: readonly AgentFact[]) => store.append('agent/a', facts.map(agentFacts.write))
  await append([{ type: 'AgentCreated', data: { config: agentConfig({ id: 'a', systemPrompt: 'x' }) } }])
  for (let n = 0; n < TASKS; n++) {
    const taskId = `t${n}`
    const prompt = `${n} ${'p'.repeat(500)}`
    const task = { taskId, prompt, textInput: null, session: 'chain', material: {} }
    const call = { taskId, callId: `c${n}`, attempt: 1, sessionId: `s${n}`, parentSessionId: null }
    const text = { ...(await store.blobs.put(`${n} ${'a'.repeat(500)}`)) }
    const usage = { inputTokens: 1, outputTokens: 1, cacheReadTokens: 0, cacheCreationTokens: 0 }
    const costs = { costUsd: 1, usage, durationMs: 1, turns: 1, model: null, permissionDenials: [] }
    await append([
      { type: 'TaskAccepted', data: task } as AgentFact,
      { type: 'CallStarted', data: { ...call, deadlineAt: '2026-01-01T00:00:00.000Z' } },
      { type: 'CallSucceeded', data: { ...call, text, ...costs, harvested: false } },
    ])
  }
}

async function stateOf(directory: string): Promise<string> {
  await using store = await levelStore(directory)
  return (await stateHash(store)).hash
}
