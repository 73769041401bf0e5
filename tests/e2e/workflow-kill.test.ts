/**
 * A workflow killed while it is paying for answers: those that have arrived are kept, and only the rest are asked
 * again. With the real process runner, and a program in place of `claude` that records each of its starts.
 */
import { watch } from 'node:fs'
import { chmod, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { Orchestrator } from '../../src/orchestrator.ts'
import { commandLine } from '../cli/command.ts'
import { repetitions } from '../repetitions.ts'
import { randomNumbers } from '../store/random-numbers.ts'

const SEEDS = repetitions('WORKFLOW_KILLS', { short: 1, long: 20 })
const AGENTS = ['a', 'b', 'c', 'd', 'e', 'f', 'g']
const UNFINISHED = 2

/**
 * Answers after the number of seconds in the file `delay-AGENT` beside it. An agent's workspace is `AGENT/workspace`.
 */
const FAKE = `#!/bin/sh
[ "$1" = --version ] && exec echo '2.1.197 (Claude Code)'
here=$(dirname "$0")
agent=$(basename "$(dirname "$PWD")")
while [ $# -gt 0 ]; do
  [ "$1" = --session-id ] && session=$2
  shift
done
cat >/dev/null
echo '{"type":"system","subtype":"init","session_id":"'"$session"'","model":"fake","tools":[]}'
echo "$agent $$" >>"$here/starts"
sleep "$(cat "$here/delay-$agent")"
echo '{"type":"result","subtype":"success","is_error":false,"result":"by '"$agent"'","session_id":"'"$session"'"}'
`

interface Start {
  readonly agent: string
  readonly pid: number
}

async function startsIn(folder: string): Promise<readonly Start[]> {
  const lines = (await readFile(join(folder, 'starts'), 'utf8').catch(() => '')).split('\n').filter(Boolean)
  return lines.map((line) => {
    const [agent = '', pid] = line.split(' ')
    return { agent, pid: Number(pid) }
  })
}

/** Resolves when the log's files contain that many facts of a type: the store has an owner, so it cannot be asked. */
function logHolds(folder: string, type: string, count: number): Promise<void> {
  const log = join(folder, '.claude-agents/log')
  return new Promise((resolve, reject) => {
    const look = async () => {
      let found = 0
      for (const file of await readdir(log)) {
        if (!file.endsWith('.log')) continue
        // LevelDB removes files while we read.
        const text = await readFile(join(log, file), 'latin1').catch(() => '')
        found += text.split(`"type":"${type}"`).length - 1
      }
      if (found < count) return
      watcher.close()
      resolve()
    }
    const watcher = watch(log, () => void look().catch(reject))
    look().catch(reject)
  })
}

test.each(Array.from({ length: SEEDS }, (_, seed) => seed + 1))(
  'Seven in parallel, killed after five answers: resumed, exactly the two others are started again (seed %i)',
  async (seed) => {
    const random = randomNumbers(seed)
    const cli = await commandLine()
    const claude = join(cli.folder, 'claude')
    await writeFile(claude, FAKE)
    await chmod(claude, 0o755)
    const order = AGENTS.map((agent) => ({ agent, at: random(1e6) })).sort((one, other) => one.at - other.at)
    const unfinished = order.slice(0, UNFINISHED).map(({ agent }) => agent)
    for (const agent of AGENTS) {
      const delay = unfinished.includes(agent) ? '1000' : String(random(200) / 1000)
      await writeFile(join(cli.folder, `delay-${agent}`), delay)
    }
    {
      await using orchestrator = await Orchestrator.open({ baseDir: join(cli.folder, '.claude-agents') })
      for (const id of AGENTS) await orchestrator.createAgent({ id, systemPrompt: `You are ${id}.` })
    }

    const words = [
      'workflow',
      'run',
      ...AGENTS,
      'go',
      '--pattern',
      'parallel',
      '--id',
      'r1',
      '--claude',
      claude,
    ]
    const running = cli.start(...words)
    onTestFinished(() => void running.kill('SIGKILL'))
    await logHolds(cli.folder, 'StepSucceeded', AGENTS.length - UNFINISHED)
    // Five may have answered before the last one says that it has started.
    await vi.waitUntil(async () => (await startsIn(cli.folder)).length === AGENTS.length, { timeout: 60_000 })
    running.kill('SIGKILL')
    await running
    const before = await startsIn(cli.folder)
    expect(before.map(({ agent }) => agent).sort()).toEqual(AGENTS)
    // The whole machine goes down: no process is left to answer.
    for (const { agent, pid } of before)
      if (unfinished.includes(agent) && pid > 1) process.kill(pid, 'SIGKILL')
    for (const agent of AGENTS) await writeFile(join(cli.folder, `delay-${agent}`), '0')

    const resumed = await cli.run(['workflow', 'resume', 'r1', '--json', '--claude', claude])
    expect(resumed).toMatchObject({ exitCode: 0 })
    expect(resumed.values[0]).toMatchObject({
      success: true,
      results: Object.fromEntries(AGENTS.map((agent) => [agent, `by ${agent}`])),
      metadata: { steps: AGENTS.length, reused: AGENTS.length - UNFINISHED },
    })
    const again = (await startsIn(cli.folder)).slice(before.length).map(({ agent }) => agent)
    expect(again.sort()).toEqual([...unfinished].sort())
  },
)
