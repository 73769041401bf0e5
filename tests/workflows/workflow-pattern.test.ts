import { concatMap, firstValueFrom, of, toArray } from 'rxjs'
import { describe, expect, test } from 'vitest'
import type { NamedWorkflow, StepDefinition } from '../../src/config/workflow-definition.ts'
import type { JsonObject } from '../../src/events/json.ts'
import type { Ask, Pattern } from '../../src/patterns/pattern.ts'
import { workflowPattern } from '../../src/workflows/pattern.ts'

/** Runs a pattern whose agents answer with their names. Returns the asks and the answers. */
async function runOf(pattern: Pattern, prompt = 'go') {
  const asked: string[] = []
  const ask: Ask = (worker, task) => {
    const agent = typeof worker === 'string' ? worker : `${worker.pool}:${worker.size}`
    asked.push(`${agent} <- ${task.prompt}`)
    return of({ agent, text: `[${agent}]` })
  }
  const answers = await firstValueFrom(of({ prompt }).pipe(pattern(ask), toArray()))
  return { asked, text: answers.map(({ text }) => text).join(' ') }
}

const agents = (pattern: string, names: readonly StepDefinition[], options = {}) =>
  workflowPattern({ kind: 'agents', pattern, agents: names, options })

const refusal = (workflow: JsonObject, sources = {}): string => {
  try {
    workflowPattern(workflow, sources)
    return 'none'
  } catch (error) {
    return (error as Error).message
  }
}

describe('agents and the name of a pattern define a pattern:', () => {
  test.each([
    ['sequential', ['a', 'b'], {}, ['a', 'b'], '[b]'],
    ['parallel', ['a', 'b'], { concurrency: 1 }, ['a', 'b'], '[a] [b]'],
    ['pipeline', ['a', 'b', 'a'], {}, ['a', 'b', 'a'], '[a]'],
    ['hierarchical', ['lead', 'a', 'b'], {}, ['lead', 'a', 'b', 'lead'], '[lead]'],
    ['race', ['a', 'b'], {}, ['a'], '[a]'],
    ['vote', ['a'], { votes: 2, judge: 'j' }, ['a', 'a', 'j'], '[j]'],
    ['debate', ['w', 'c'], { rounds: 2 }, ['w', 'c', 'w'], '[w]'],
    ['route', ['desk', 'a', 'desk2'], { fallback: 'b' }, ['desk', 'b'], '[b]'],
    ['map-reduce', [{ pool: 'm', size: 2 }, 'r'], { split: 'lines' }, ['m:2', 'm:2', 'r'], '[r]'],
  ] as const)('%s', async (pattern, names, options, asked, text) => {
    const ran = await runOf(agents(pattern, [...names], options), 'one\ntwo')
    expect(ran.asked.map((line) => line.split(' <- ')[0])).toEqual(asked)
    expect(ran.text).toBe(text)
  })

  test('with a prompt for each agent', async () => {
    const pattern = agents('pipeline', ['a', 'b'], { prompts: ['First: {{input}}', null] })
    expect((await runOf(pattern)).asked).toEqual(['a <- First: go', 'b <- [a]'])
  })

  test.each([
    [{ pattern: 'paralel', agents: ['a'] }, 'there is no pattern "paralel". Did you mean "parallel"?'],
    [{ pattern: 'constructor', agents: ['a'] }, 'there is no pattern "constructor"'],
    [{ pattern: 'parallel', agents: [] }, 'there are no agents'],
    [{ pattern: 'race', agents: ['a', 'a'] }, 'race cannot have "a" twice'],
    [{ pattern: 'debate', agents: ['a', 'b', 'c'] }, 'debate takes at most 2 agents, not 3'],
    [
      { pattern: 'race', agents: ['a'], options: { rounds: 2 } },
      'rounds: the pattern race has no such option',
    ],
  ])('and %j does not', (definition, message) => {
    expect(refusal({ kind: 'agents', options: {}, ...definition })).toContain(message)
  })
})

describe('a reference defines a pattern:', () => {
  const workflows: readonly NamedWorkflow[] = [
    { name: 'report', pattern: 'sequential', agents: [{ workflow: 'reviews' }, 'writer'], options: {} },
    { name: 'reviews', pattern: 'parallel', agents: ['a', 'b'], options: {} },
  ]

  test('a workflow in the configuration file, which may contain others', async () => {
    const pattern = workflowPattern({ kind: 'config', name: 'report' }, { workflows })
    expect((await runOf(pattern)).asked.map((line) => line.split(' <- ')[0])).toEqual(['a', 'b', 'writer'])
    expect(pattern.agents).toEqual(['a', 'b', 'writer'])
  })

  test('a template', () => {
    expect(workflowPattern({ kind: 'template', name: 'research' }).agents).toEqual([
      'researcher',
      'analyst',
      'writer',
    ])
  })

  test('an export of a module', async () => {
    const twice: Pattern = (ask) =>
      concatMap((task) => ask('a', task).pipe(concatMap(({ text }) => ask('b', { prompt: text }))))
    const pattern = workflowPattern({ kind: 'module', file: 'x.js', export: 'twice' }, { module: { twice } })
    expect((await runOf(pattern)).text).toBe('[b]')
  })

  test.each([
    [
      { kind: 'config', name: 'reprot' },
      'there is no "reprot" in the configuration file. Did you mean "report"?',
    ],
    [{ kind: 'template', name: 'reserch' }, 'there is no "reserch". Did you mean "research"?'],
    [{ kind: 'module', file: 'x.js', export: 'on' }, 'x.js: it exports no "on". Did you mean "one"?'],
    [{ kind: 'module', file: 'x.js', export: 'one' }, 'its export "one" is not a pattern'],
    [{ kind: 'module', file: 'x.js', export: 'Thing' }, 'its export "Thing" is not a pattern'],
    [{ kind: 'module', file: 'x.js', export: 'plain' }, 'its export "plain" is not a pattern'],
    [{ kind: 'dream' }, '"dream" is an unknown kind of workflow'],
  ])('and %j does not', (workflow, message) => {
    const module = { one: 1, plain: () => 1, Thing: class {} }
    expect(refusal(workflow, { workflows, module })).toContain(message)
  })
})
