/** A team of real `claude` processes that solves a task by asking one another, against a model on loopback. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { claudeCli } from '../../src/claude/claude-cli.ts'
import { TEAM_TOOLS, teamTool } from '../../src/events/options/tools.ts'
import { Orchestrator } from '../../src/orchestrator.ts'
import { answer } from '../../src/testing/model/answer.ts'
import type { ModelRequest } from '../../src/testing/model/messages-api.ts'
import { type SimulatedModelOptions, simulatedModel } from '../../src/testing/model/simulated-model.ts'
import { REAL_CLAUDE } from '../claude/calls.ts'

async function team(options: SimulatedModelOptions) {
  const baseDir = await mkdtemp(join(tmpdir(), 'claude-agents-'))
  const model = await simulatedModel(options)
  const runner = claudeCli({ path: REAL_CLAUDE, environment: model.environment, maxProcesses: 3 })
  const orchestrator = await Orchestrator.open({ baseDir, runner })
  onTestFinished(async () => {
    await orchestrator.close()
    await model[Symbol.asyncDispose]()
    await rm(baseDir, { recursive: true, force: true, maxRetries: 5 })
  })
  return { model, orchestrator }
}

/** What the last tool said; null if none was used yet. */
const toolSaid = ({ conversation }: ModelRequest): string | null =>
  conversation.at(-1)?.[1].match(/^\[result (.*)\]$/s)?.[1] ?? null

const ask = (agent: string, prompt: string) => answer.toolUse(teamTool('ask_agent'), { agent, prompt })

test('a lead asks an expert, who asks a checker: the answer comes back through all of them', async () => {
  const { model, orchestrator } = await team({
    reply(request) {
      const said = toolSaid(request)
      if (request.system.includes('You lead.'))
        return said === null ? ask('expert', 'What is six times seven?') : `The team says: ${said}`
      if (request.system.includes('You know.'))
        return said === null ? ask('checker', 'Is it 42?') : `42, checked: ${said}`
      return 'It is.'
    },
  })
  await orchestrator.createAgent({ id: 'lead', systemPrompt: 'You lead.', team: true })
  await orchestrator.createAgent({ id: 'expert', systemPrompt: 'You know.', team: ['ask_agent'] })
  await orchestrator.createAgent({ id: 'checker', systemPrompt: 'You check.' })
  const text = await orchestrator.sendTask('lead', 'Six times seven?', { taskId: 't1' })
  expect(text).toContain('42, checked: ')
  expect(text).toContain('It is.')
  const tools = (role: string) => model.requests.find(({ system }) => system.includes(role))?.tools ?? []
  const ofTeam = (names: readonly string[]) => names.filter((name) => name.startsWith('mcp__'))
  expect(ofTeam(tools('You lead.')).toSorted()).toEqual(TEAM_TOOLS.map(teamTool).toSorted())
  expect(ofTeam(tools('You know.'))).toEqual([teamTool('ask_agent')])
  expect(ofTeam(tools('You check.'))).toEqual([])
  // One turn of each, and one more where a tool had answered: none was asked twice.
  expect(model.requestCount).toBe(5)
})

test('who asks itself, or in a circle, reads why not, and answers all the same', async () => {
  const { orchestrator } = await team({
    reply(request) {
      const said = toolSaid(request)
      if (said !== null) return `I was told: ${said}`
      return request.system.includes('You lead.') ? ask('expert', 'Help.') : ask('lead', 'Help me first.')
    },
  })
  await orchestrator.createAgent({ id: 'lead', systemPrompt: 'You lead.', team: true })
  await orchestrator.createAgent({ id: 'expert', systemPrompt: 'You know.', team: true })
  expect(await orchestrator.sendTask('lead', 'Go')).toContain(
    'which waits for its answer: expert -> lead -> expert',
  )
})
