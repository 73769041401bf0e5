/** An agent that continues a session of Claude Code, as a user sees it: the real `claude`, a simulated model. */
import { randomUUID } from 'node:crypto'
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { expect, test } from 'vitest'
import { claudeCli } from '../../src/claude/claude-cli.ts'
import { Orchestrator } from '../../src/orchestrator.ts'
import { simulatedModel } from '../../src/testing/model/simulated-model.ts'
import { scriptedRunner } from '../../src/testing/scripted-runner.ts'
import { REAL_CLAUDE } from '../claude/calls.ts'
import { commandLine } from '../cli/command.ts'
import { temporaryDirectory } from '../store/temporary.ts'

test('an adopted session: its first words are in the next request, and the original stays byte for byte as it was', async () => {
  await using model = await simulatedModel({
    reply: ['Ada, I will keep that in mind.', 'You are Ada.', 'Still Ada.'],
  })
  const { run, folder } = await commandLine(model.environment)
  const project = join(folder, 'project')
  await mkdir(project)
  const sessionId = randomUUID()
  const env = { ...model.environment, HOME: folder, PATH: process.env.PATH ?? '' }
  const own = ['-p', '--session-id', sessionId, '--model', 'claude-sonnet-4-5']
  await execa(REAL_CLAUDE, own, { cwd: project, env, extendEnv: false, input: 'My name is Ada.' })
  const kept = join(folder, '.claude/projects', project.replace(/[^A-Za-z0-9]/g, '-'))
  const original = join(kept, `${sessionId}.jsonl`)
  const before = { text: await readFile(original), mtime: (await stat(original)).mtimeMs }

  const adopted = await run([
    'agent',
    'adopt',
    sessionId,
    '--as',
    'ada',
    '--system-prompt',
    'You are a test.',
    '--json',
  ])
  expect(adopted.values).toEqual([{ id: 'ada', sessionId, turns: 1 }])
  const { stdout } = await run(['agent', 'sessions', 'ada'])
  expect(stdout).toMatch(new RegExp(`● ${sessionId} +adopted +\\(the next task continues here\\)`))

  const asked = await run(['agent', 'ask', 'ada', 'Who am I?'])
  expect(asked.stdout.trim()).toBe('You are Ada.')
  const heard = model.requests.at(-1)?.conversation.map(([role, text]) => [role, text.trim()])
  expect(heard).toEqual([
    ['user', 'My name is Ada.'],
    ['assistant', 'Ada, I will keep that in mind.'],
    ['user', 'Who am I?'],
  ])
  expect((await run(['agent', 'sessions', 'ada', '--json'])).values).toMatchObject([
    { sessionId, parentSessionId: null, taskId: null },
    { parentSessionId: sessionId, taskId: expect.any(String) },
  ])
  expect((await readdir(kept)).filter((name) => name.endsWith('.jsonl'))).toEqual([`${sessionId}.jsonl`])
  expect(await readFile(original)).toEqual(before.text)
  expect((await stat(original)).mtimeMs).toBe(before.mtime)

  // The id is taken, and a file is no transcript: neither makes anything.
  const agents = async () => (await run(['agent', 'list', '--json'])).values.map(({ id }) => id)
  expect((await run(['agent', 'adopt', original, '--as', 'ada'])).stderr).toMatch(/"ada" already exists/)
  await writeFile(join(folder, 'half.jsonl'), before.text.subarray(0, -9))
  expect((await run(['agent', 'adopt', 'half.jsonl'])).stderr).toMatch(
    /half\.jsonl: its last line is incomplete/,
  )
  expect(await agents()).toEqual(['ada'])

  // Through the process that owns the store, without an id.
  const baseDir = await temporaryDirectory()
  await using owner = await Orchestrator.open({ baseDir, runner: claudeCli({ path: REAL_CLAUDE }) })
  await using client = await Orchestrator.connect(baseDir)
  const second = await client.adopt(original, { systemPrompt: 'You are a test.' })
  expect(second.id).toBe(`session-${sessionId.slice(0, 8)}`)
  expect((await owner.agent(second.id)).snapshot.context).toMatchObject({ session: sessionId })

  await using scripted = await Orchestrator.open({
    baseDir: await temporaryDirectory(),
    runner: scriptedRunner(),
  })
  await expect(scripted.adopt(original)).rejects.toThrow(/the runner cannot continue sessions of Claude Code/)
  expect(await scripted.agents()).toEqual([])
})
