/** Agents move between workers with their files and their sessions: real processes, PostgreSQL, git, and the real `claude`. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { answer } from '../../src/testing/model/answer.ts'
import { simulatedModel } from '../../src/testing/model/simulated-model.ts'
import { REAL_CLAUDE } from '../claude/calls.ts'
import { hasPostgres } from '../postgres/database.ts'
import { startCluster, type WorkerProcess } from './kit.ts'

describe.skipIf(!hasPostgres)('An agent that moves', { timeout: 240_000 }, () => {
  test('after kill -9 of its worker, and after a drain, the next turn has its files and its true conversation', async () => {
    await using model = await simulatedModel({
      reply: ({ conversation, prompt }) => {
        const [, file] = /write (\S+)/.exec(prompt) ?? []
        const isDone = conversation.at(-1)?.[1].includes('[result')
        if (isDone) return answer.text('written')
        return file === undefined
          ? answer.text(`Re: ${prompt.trim()}`)
          : answer.toolUse('Write', { file_path: file, content: `${file} of ${prompt.trim()}` })
      },
    })
    const cluster = await startCluster(undefined, { path: REAL_CLAUDE, environment: model.environment })
    const one = await cluster.worker('one')
    const team = await cluster.client()
    const dev = await team.createAgent({ id: 'dev', systemPrompt: 'You work.' })
    await dev.ask('write a.txt')
    one.child.kill('SIGKILL')
    const two = await cluster.worker('two')
    expect((await dev.ask('what did you write?')).text).toBe('Re: what did you write?')
    const heard = model.requests
      .at(-1)
      ?.conversation.map(([who, text]) => [who, text.trim().split('\n', 1)[0]])
    expect(heard).toEqual([
      ['user', 'write a.txt'],
      ['assistant', expect.stringContaining('[Write {')],
      ['user', expect.stringContaining('[result')],
      ['assistant', 'written'],
      ['user', 'what did you write?'],
    ])
    const there = join(cluster.folder, 'two/agents/dev/workspace')
    expect(await readFile(join(there, 'a.txt'), 'utf8')).toBe('a.txt of write a.txt')
    await dev.ask('write b.txt')
    await dev.files.undo({ to: 1 })
    await cluster.worker('three')
    await drained(two)
    await dev.ask('and now?')
    expect((await dev.files.list()).map(({ path }) => path)).toEqual(['a.txt'])
    await dev.files.undo({ to: 3 })
    expect((await dev.files.list()).map(({ path }) => path)).toEqual(['a.txt', 'b.txt'])
    const moves: unknown[] = []
    for await (const { type, data } of team.store.read('agent/dev'))
      if (type === 'AgentMoved') moves.push(data)
    expect(moves).toEqual([
      move('one', 'two', { workspace: 'restored', session: 'restored' }),
      move('two', 'three', { workspace: 'restored', session: 'restored' }),
    ])
    expect(dev.snapshot.context.stored?.moved).toMatchObject({ from: 'two', to: 'three' })
    // A turn adds to what is stored.
    expect(dev.snapshot.context.stored?.sessions?.map(({ parts }) => parts.length)).toEqual([
      expect.any(Number),
    ])
  })
})

const move = (from: string, to: string, what: object) => ({
  ...{ from: expect.objectContaining({ worker: from }), to: expect.objectContaining({ worker: to }) },
  ...what,
})

async function drained({ child, exited }: WorkerProcess): Promise<void> {
  child.kill('SIGTERM')
  await exited
}
