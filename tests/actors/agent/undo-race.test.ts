/** Undoing while a task begins: either nothing is changed, or the task begins from the files that were brought back. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { filter, firstValueFrom } from 'rxjs'
import { expect, test } from 'vitest'
import type { FilesOperations } from '../../../src/workspaces/files/operations.ts'
import { factsOf, filesWorld, visibleFiles, type Work } from './files-world.ts'

/** Answers with the files that it found, and makes one. */
const look: Work = async (workspace, prompt) => {
  const seen = (await visibleFiles(workspace)).join(' ')
  await writeFile(join(workspace, prompt), '')
  return seen
}

test('a task that begins while files are brought back waits for them, and the undoing is recorded', async () => {
  const { repo, runner, open } = await filesWorld(look)
  let meanwhile = async () => {}
  const restore: FilesOperations['restore'] = (place, to, note, done) =>
    runner.files.restore(place, to, note, async (restored) => {
      await meanwhile()
      return done(restored)
    })
  await using orchestrator = await open({ runner: { ...runner, files: { ...runner.files, restore } } })
  const agent = await orchestrator.createAgent({ id: 'dev', systemPrompt: 'You work.', workspace: { repo } })
  await agent.ask('one')
  let reply: ReturnType<typeof agent.ask> | undefined
  meanwhile = async () => {
    const after = (await factsOf(orchestrator)).at(-1)?.position ?? 0
    const calls = orchestrator.events({ after }).pipe(filter(({ type }) => type === 'CallStarted'))
    const begun = firstValueFrom(calls)
    reply = agent.ask('two')
    await begun
  }
  const undone = await agent.files.undo()
  expect((await reply)?.text).toBe('.gitignore a.txt')
  expect((await factsOf(orchestrator)).slice(-7).map(({ type }) => type)).toEqual([
    ...['TaskAccepted', 'CallStarted', 'FilesRestored', 'FilesSaved', 'FilesSaved'],
    ...['FilesCommitted', 'CallSucceeded'],
  ])
  expect(undone.version).toBeLessThan(agent.version)
  await agent.files.undo({ to: 1 })
  expect(await visibleFiles(agent.workspace)).toEqual(['.gitignore', 'a.txt', 'one'])
})

test('a turn that ends while an undoing waits is the one that is undone', async () => {
  const { repo, runner, open } = await filesWorld(look)
  let meanwhile = async () => {}
  const restore: FilesOperations['restore'] = async (...args) => {
    await meanwhile()
    meanwhile = async () => {}
    return runner.files.restore(...args)
  }
  await using orchestrator = await open({ runner: { ...runner, files: { ...runner.files, restore } } })
  const agent = await orchestrator.createAgent({ id: 'dev', systemPrompt: 'You work.', workspace: { repo } })
  await agent.ask('one')
  meanwhile = async () => void (await agent.ask('two'))
  await agent.files.undo()
  expect(await visibleFiles(agent.workspace)).toEqual(['.gitignore', 'a.txt', 'one'])
})

test('a retry that waits for an undoing begins from the files that it brought back', async () => {
  const { repo, runner, open } = await filesWorld(async (workspace, prompt, attempt) => {
    const answer = await look(workspace, prompt, attempt)
    return prompt === 'two' ? new Error('it broke') : answer
  })
  await using orchestrator = await open({ runner })
  const retry = { attempts: 0 }
  const agent = await orchestrator.createAgent({
    id: 'dev',
    systemPrompt: 'You work.',
    workspace: { repo },
    retry,
  })
  await agent.ask('one')
  await expect(agent.ask('two')).rejects.toThrow()
  await agent.files.undo({ to: 0 })
  // The call that failed began from another snapshot: that one is not brought back any more.
  expect((await agent.ask('three')).text).toBe('.gitignore a.txt')
})

test('the files of a stopped agent are brought back, and the log says so', async () => {
  const { repo, open } = await filesWorld(look)
  await using orchestrator = await open()
  const agent = await orchestrator.createAgent({ id: 'dev', systemPrompt: 'You work.', workspace: { repo } })
  await agent.ask('one')
  await agent.stop()
  await agent.files.undo()
  expect(await visibleFiles(agent.workspace)).toEqual(['.gitignore', 'a.txt'])
  expect((await factsOf(orchestrator)).at(-1)).toMatchObject({ type: 'FilesRestored' })
})
