/**
 * Every way in which a child can misbehave, seen from the log: one terminal fact with the right error, in time, and
 * nothing left behind: no process, no memory, no file, no secret.
 */

import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { claudeCli } from '../../src/claude/claude-cli.ts'
import { linuxProcessTable } from '../../src/claude/process/table.ts'
import type { Logger } from '../../src/logger.ts'
import { Orchestrator } from '../../src/orchestrator.ts'
import { HOME_MARKER } from '../../src/workspaces/directories.ts'

const FAKE = join(import.meta.dirname, 'fixtures/fake-claude.sh')
/** Matches no known pattern: only its value gives it away. */
const SECRET = 'hunter2-correct-horse'
const DEADLINE_MS = 2_000
const MEGABYTE = 2 ** 20
// biome-ignore lint/suspicious/noControlCharactersInRegex: that is what must not be there
const CONTROL = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/

const TERMINAL = ['CallSucceeded', 'TaskFailed', 'TaskCancelled']

/** What is asked, and how it ends: the tag of an error, or an answer. */
const FAULTS: readonly (readonly [fault: string, ends: string | { readonly text: string }])[] = [
  ['hang', 'CallTimeoutError'],
  ['ignore SIGTERM', 'CallTimeoutError'],
  ['ignore SIGTERM and flood', 'CallTimeoutError'],
  ['flood of 1 GB', 'OutputTooLargeError'],
  ['flood of 1 GB on stderr', 'OutputTooLargeError'],
  ['endless line', 'OutputTooLargeError'],
  ['half a line', 'JSONParseError'],
  ['two results', { text: 'second' }],
  ['no result', 'NoResultError'],
  ['result, then hang', { text: 'fine' }],
  ['a grandchild that stays', { text: 'fine' }],
  ['a grandchild of its own, after the result', { text: 'fine' }],
  ['a grandchild that prints for ever', { text: 'fine' }],
  ['a grandchild with its own session', 'CallTimeoutError'],
  ['die by a signal', 'ProcessKilledError'],
  ['NUL and invalid UTF-8', { text: 'a\0b\ufffd(c' }],
  ['control sequences', 'CliCrashedError'],
  ['crash', 'CliCrashedError'],
]

async function world() {
  const baseDir = await mkdtemp(join(tmpdir(), 'claude-agents-'))
  onTestFinished(() => rm(baseDir, { recursive: true, force: true, maxRetries: 5 }))
  const logged: string[] = []
  const log = (fields: Record<string, unknown>, message: string) =>
    void logged.push(message, JSON.stringify(fields))
  const logger: Logger = { debug: log, info: log, warn: log, error: log }
  const runner = claudeCli({
    path: FAKE,
    environment: { ANTHROPIC_API_KEY: SECRET },
    logger,
    graceMs: 1_000,
  })
  const orchestrator = await Orchestrator.open({ baseDir, runner, logger })
  return { baseDir, logged, orchestrator }
}

/** The most that our memory may grow before the call is stopped. */
function memoryGrowth() {
  const before = process.memoryUsage.rss()
  let most = 0
  const look = () => {
    most = Math.max(most, process.memoryUsage.rss() - before)
  }
  const timer = setInterval(look, 20)
  return {
    stop() {
      clearInterval(timer)
      look()
      return most
    },
  }
}

async function running(baseDir: string): Promise<number[]> {
  const entries = (await linuxProcessTable.entries()).filter((entry) => !entry.ended)
  const environments = await Promise.all(entries.map(({ pid }) => linuxProcessTable.environment(pid)))
  return entries.flatMap(({ pid }, index) =>
    environments[index]?.get(HOME_MARKER)?.startsWith(baseDir) ? [pid] : [],
  )
}

async function filesIn(directory: string) {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  return Promise.all(
    entries
      .filter((entry) => entry.isFile())
      .map(async (entry) => {
        const path = join(entry.parentPath, entry.name)
        return { path, bytes: (await stat(path)).size, text: await readFile(path, 'latin1') }
      }),
  )
}

test.runIf(process.platform === 'linux').each(FAULTS)('a child that does this: %s', async (fault, ends) => {
  const { baseDir, logged, orchestrator } = await world()
  const agent = await orchestrator.createAgent({
    id: 'a',
    systemPrompt: 'You misbehave.',
    // Only a call that is to run into it has a short one: a busy machine may take its time.
    timeoutMs: ends === 'CallTimeoutError' ? DEADLINE_MS : 60_000,
    retry: { attempts: 0 },
  })
  const memory = memoryGrowth()
  const task = agent.ask(fault)
  const said: string[] = []
  const listening = (async () => {
    for await (const message of task) said.push(JSON.stringify(message))
  })().catch(() => {})
  const outcome = await task.then(
    ({ text }) => ({ text }),
    (error: unknown) => error,
  )
  await listening
  await orchestrator.close()
  const grown = memory.stop()

  expect(outcome).toMatchObject(typeof ends === 'string' ? { _tag: ends } : ends)
  expect(await running(baseDir)).toEqual([])
  expect(grown).toBeLessThan(100 * MEGABYTE)

  const reopened = await Orchestrator.open({ baseDir, resume: 'on-demand' })
  onTestFinished(() => reopened.close())
  const facts = []
  for await (const fact of reopened.history.log()) facts.push(fact)
  expect(facts.map(({ type }) => type).filter((type) => TERMINAL.includes(type))).toHaveLength(1)

  const files = await filesIn(baseDir)
  expect(files.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThan(2 * MEGABYTE)
  const everywhere = [String(outcome), JSON.stringify(facts), ...said, ...logged]
  for (const text of [...everywhere, ...files.map((file) => file.text)]) expect(text).not.toContain(SECRET)
  if (typeof ends === 'string') expect(String(outcome)).not.toMatch(CONTROL)
})
