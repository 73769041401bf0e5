/** A program that works through the process that has the store open has the same orchestrator as that process. */
import { firstValueFrom, toArray } from 'rxjs'
import { describe, expect, test } from 'vitest'
import { Orchestrator } from '../../src/orchestrator.ts'
import { sequential } from '../../src/patterns/sequential.ts'
import { all } from '../../src/testing/contract/kit.ts'
import { scriptedRunner } from '../../src/testing/scripted-runner.ts'
import { served } from '../owner/kit.ts'
import { temporaryDirectory } from '../store/temporary.ts'

const A = { id: 'a', systemPrompt: 'You are a.' }

describe('Orchestrator.connect', () => {
  test('gives the agents, asks, runs and events of the process that has the store open', async () => {
    const { baseDir, own, runner } = await served({ reply: ({ prompt }) => `re: ${prompt}` })
    await using client = await Orchestrator.connect(baseDir)
    const agent = await client.createAgent(A)
    expect(await agent.ask('hello', { taskId: 't1' })).toEqual(await (await own.agent('a')).reply('t1'))
    expect(await client.sendTask('a', 'again')).toBe('re: again')
    expect(await client.agents()).toEqual(await own.agents())
    const result = await own.run(sequential(['a']), 'go', { id: 'r1', name: 'short' })
    expect(await client.runs.result('r1')).toEqual(result)
    expect(await client.runs.list()).toEqual(await own.runs.list())
    expect(await all(client.history.log())).toEqual(await all(own.history.log()))
    const followed = firstValueFrom(client.events({ after: 0 }).pipe(toArray()))
    await own.close()
    const facts = await followed
    expect(facts.at(-1)).toMatchObject({ type: 'RunSucceeded', position: facts.length })
    expect(runner.calls).toHaveLength(3)
  })

  test('disconnects when it is closed, and stops nothing', async () => {
    const { baseDir, own } = await served()
    const client = await Orchestrator.connect(baseDir)
    await client.createAgent(A)
    await client.close()
    await expect(client.agents()).rejects.toMatchObject({ _tag: 'ClosedError' })
    expect(await own.sendTask('a', 'still there')).toBeTypeOf('string')
    await using again = await Orchestrator.connect(baseDir)
    expect(await again.agents()).toHaveLength(1)
  })

  test('rejects where no process serves the store, and says what to do', async () => {
    const baseDir = await temporaryDirectory()
    await expect(Orchestrator.connect(baseDir)).rejects.toMatchObject({
      _tag: 'OwnerNotFound',
      message: expect.stringContaining(baseDir),
      hint: expect.stringContaining('claude-agents serve --detach'),
    })
    await using _ = await Orchestrator.open({ baseDir, runner: scriptedRunner(), serve: false })
    await expect(Orchestrator.connect(baseDir)).rejects.toMatchObject({
      _tag: 'OwnerNotFound',
      summary: `Process ${process.pid} has the store ${baseDir} open, and serves no other process.`,
    })
    await expect(Orchestrator.connect(`${baseDir}-nowhere`)).rejects.toMatchObject({ _tag: 'OwnerNotFound' })
  })
})
