/** Structured output, through the real `claude` and its own way of holding the model to a schema. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { claudeCli } from '../../src/claude/claude-cli.ts'
import { Orchestrator } from '../../src/orchestrator.ts'
import { answer } from '../../src/testing/model/answer.ts'
import { type ModelScript, simulatedModel } from '../../src/testing/model/simulated-model.ts'
import { CLAUDE } from '../cli/command.ts'

const schema = { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] } as const

async function ask(reply: ModelScript) {
  const baseDir = await mkdtemp(join(tmpdir(), 'claude-agents-'))
  onTestFinished(() => rm(baseDir, { recursive: true, force: true }))
  await using model = await simulatedModel({ reply })
  const runner = claudeCli({ path: CLAUDE, environment: model.environment })
  await using orchestrator = await Orchestrator.open({ baseDir, runner })
  const agent = await orchestrator.createAgent({ id: 'a', systemPrompt: 'x', retry: { attempts: 0 } })
  return await agent.ask('Name a city.', { outputSchema: schema })
}

test('the text of the reply is the JSON that the model passed to its tool', async () => {
  const reply = await ask(({ ordinal }) =>
    ordinal === 1 ? answer.toolUse('StructuredOutput', { name: 'Lisbon' }) : 'Done.',
  )
  expect(JSON.parse(reply.text)).toEqual({ name: 'Lisbon' })
})

test('an answer that does not match the schema is an error, even though claude calls it a success', async () => {
  await expect(ask(() => 'Lisbon is nice.')).rejects.toMatchObject({ _tag: 'StructuredOutputError' })
})
