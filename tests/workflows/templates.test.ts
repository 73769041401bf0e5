import { describe, expect, test } from 'vitest'
import { RefusedError } from '../../src/events/errors/call.ts'
import { TEMPLATES } from '../../src/workflows/pattern.ts'
import { world } from '../actors/world.ts'

const { research, brainstorm } = TEMPLATES
const review = TEMPLATES['code-review']

describe('a template', () => {
  test.each(Object.entries(TEMPLATES))(
    '%s creates its team, runs, and gives the last answer',
    async (name, Template) => {
      const here = await world()
      const { orchestrator } = await here.open({ reply: ({ agent }) => `by ${agent}` })
      const workflow = new Template(orchestrator)
      await workflow.setup()
      expect((await orchestrator.agents()).map(({ id }) => id)).toEqual(
        Template.roles.map(({ id }) => id).sort(),
      )
      const result = await workflow.execute('tidal energy', { id: 'r1' })
      const last = Template.roles.at(-1)?.id
      expect(result).toMatchObject({
        pattern: name,
        success: true,
        agents: Template.roles.map(({ id }) => id),
        metadata: { runId: 'r1', finalOutput: `by ${last}` },
      })
      expect((await orchestrator.runs.show('r1')).workflow).toEqual({ kind: 'template', name })
    },
  )

  test('uses existing agents unchanged, and creates the others with its options', async () => {
    const { orchestrator } = await (await world()).open()
    await orchestrator.createAgent({ id: 'writer', systemPrompt: 'You write in verse.' })
    const workflow = new research(orchestrator, { agents: { model: 'opus' } })
    await workflow.setup()
    await workflow.setup()
    const config = async (id: string) => (await orchestrator.agent(id)).snapshot.context.config
    expect(await config('writer')).toMatchObject({ systemPrompt: 'You write in verse.', model: null })
    expect(await config('analyst')).toMatchObject({ model: 'opus' })
  })

  test('for research gives the writer the findings and the analysis', async () => {
    const { orchestrator, runner } = await (await world()).open({ reply: ({ agent }) => `by ${agent}` })
    const workflow = new research(orchestrator)
    await workflow.setup()
    await workflow.execute({ prompt: 'tidal energy', textInput: 'three notes' })
    const prompts = Object.fromEntries(runner.calls.map(({ agent, prompt }) => [agent, prompt]))
    expect(prompts.researcher).toMatch(/tidal energy[\s\S]*three notes/)
    expect(prompts.analyst).toMatch(/tidal energy[\s\S]*by researcher/)
    expect(prompts.writer).toMatch(/tidal energy[\s\S]*by researcher[\s\S]*by analyst/)
  })

  test('for a review fails with the other reviews if one reviewer fails, and resumed asks only that one', async () => {
    const here = await world()
    let fails = true
    const { orchestrator, runner } = await here.open({
      reply: ({ agent }) => (fails && agent === 'quality_reviewer' ? new RefusedError() : `by ${agent}`),
    })
    const workflow = new review(orchestrator)
    await workflow.setup()
    const failed = await workflow.execute('let a = 1', { id: 'r1' })
    expect(failed).toMatchObject({
      success: false,
      errors: [{ agent: 'quality_reviewer', code: 'RefusedError' }],
      results: { security_reviewer: 'by security_reviewer' },
    })
    expect(runner.calls.map(({ agent }) => agent)).not.toContain('lead_reviewer')
    fails = false
    const before = runner.calls.length
    const result = await orchestrator.runs.resume('r1', review.pattern)
    expect(runner.calls.slice(before).map(({ agent }) => agent)).toEqual([
      'quality_reviewer',
      'lead_reviewer',
    ])
    expect(result).toMatchObject({ success: true, metadata: { finalOutput: 'by lead_reviewer', reused: 3 } })
  })

  test('for brainstorming gives the critic all ideas, and the ranker the criticism', async () => {
    const { orchestrator, runner } = await (await world()).open({ reply: ({ agent }) => `by ${agent}` })
    const workflow = new brainstorm(orchestrator)
    await workflow.setup()
    await workflow.execute('a task list')
    const prompts = Object.fromEntries(runner.calls.map(({ agent, prompt }) => [agent, prompt]))
    for (const mind of ['visionary', 'pragmatist', 'outsider']) expect(prompts.critic).toContain(`by ${mind}`)
    expect(prompts.ranker).toMatch(/by visionary[\s\S]*by critic/)
  })
})
