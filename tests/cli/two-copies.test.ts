/** The command is a bundle, with a copy of the library in it: modules that it loads, and programs beside it, have another. */
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { execa } from 'execa'
import { expect, test } from 'vitest'
import { simulatedModel } from '../../src/testing/model/simulated-model.ts'
import { quickCommandLine } from './command.ts'

const ROOT = resolve(import.meta.dirname, '../..')

/** A command line in a folder where the package is installed. */
async function installation(environment: Readonly<Record<string, string>> = {}) {
  const cli = await quickCommandLine(environment)
  const modules = join(cli.folder, 'node_modules')
  await mkdir(modules)
  await symlink(ROOT, join(modules, 'claude-multi-agent'))
  for (const name of ['rxjs', 'xstate', 'effect'])
    await symlink(join(ROOT, 'node_modules', name), join(modules, name))
  return cli
}

test('A pattern in a module knows the errors of the command, and the command those of the module', async () => {
  await using model = await simulatedModel({ reply: () => 'an answer' })
  const { folder, run } = await installation(model.environment)
  const code = `
import { AgentNotFoundError, ClaudeAgentError, InvalidInputError, sequential } from 'claude-multi-agent'
import { catchError, concatMap, of, throwError } from 'rxjs'
const kinds = (error) => [AgentNotFoundError, ClaudeAgentError, Error, InvalidInputError].map((kind) => error instanceof kind)
export const catches = (ask) => concatMap((task) =>
  ask('nobody', task).pipe(catchError((error) => ask('a', { prompt: kinds(error).join() }))))
export const throws = () => concatMap(() =>
  throwError(() => new InvalidInputError({ what: 'The task', problem: 'it is empty', hint: 'Say something.' })))
export const both = sequential(['a', 'a'])
`
  await writeFile(join(folder, 'flows.mjs'), code)
  await run(['agent', 'create', 'a', 'You answer.'])
  const flow = (name: string) =>
    run(['workflow', 'run', '--module', 'flows.mjs', '--export', name, 'go', '--id', name, '--json'])
  expect((await flow('both')).values[0]).toMatchObject({ success: true, metadata: { steps: 2 } })
  expect((await flow('catches')).exitCode).toBe(0)
  expect(JSON.stringify(model.requests.at(-1))).toContain('true,true,true,false')
  expect((await flow('throws')).values[0]).toMatchObject({
    success: false,
    errors: [{ code: 'InvalidInputError', message: 'The task: it is empty.' }],
  })
})

test('An actor of a user is folded from a module that imports the package by its name', async () => {
  const { folder, run } = await installation()
  const code = `
import { defineActor } from 'claude-multi-agent'
import * as Schema from 'effect/Schema'
import { assign, createMachine } from 'xstate'
export const counter = defineActor({
  kind: 'counter',
  facts: { Added: Schema.Struct({ by: Schema.Int }) },
  machine: createMachine({
    initial: 'open',
    context: { sum: 0 },
    states: { open: { on: { Added: { actions: assign({ sum: ({ context, event }) => context.sum + event.data.by }) } } } },
  }),
  decide: (by) => [{ type: 'Added', data: { by } }],
})
`
  const program = `
import { Orchestrator } from 'claude-multi-agent'
import { counter } from './counter.mjs'
const orchestrator = await Orchestrator.open({ baseDir: '.claude-agents' })
await (await orchestrator.spawn(counter, 'visits')).tell(2)
await orchestrator.close()
`
  await writeFile(join(folder, 'counter.mjs'), code)
  await writeFile(join(folder, 'program.mjs'), program)
  await execa(process.execPath, ['program.mjs'], { cwd: folder })
  const { values } = await run(['replay', 'counter/visits', '--module', 'counter.mjs', '--json'])
  expect(values.map(({ after }) => after)).toEqual([{ status: 'open', context: { sum: 2 } }])
})

test('A log that a program wrote with the library was written by the machines of the command', async () => {
  const { folder, run } = await installation()
  const program = `
import { Orchestrator, sequential } from 'claude-multi-agent'
import { scriptedRunner } from 'claude-multi-agent/testing'
const orchestrator = await Orchestrator.open({ baseDir: '.claude-agents', runner: scriptedRunner() })
const agent = await orchestrator.createAgent({ id: 'a', systemPrompt: 'You answer.' })
await agent.ask('one')
await orchestrator.run(sequential(['a']), 'two')
await orchestrator.supervise({ id: 'top', children: [] })
await orchestrator.close()
`
  await writeFile(join(folder, 'program.mjs'), program)
  await execa(process.execPath, ['program.mjs'], { cwd: folder })
  const [report] = (await run(['replay', '--verify', '--all', '--json'])).values
  expect(report).toMatchObject({ ok: true, changed: [], unknown: [] })
  expect((report as unknown as { compared: { states: number } }).compared.states).toBeGreaterThan(0)
})
