/** Which tool calls a person has to decide: in doubt, they have to. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { askingPlan, askingSettings } from '../../src/claude/asking/plan.ts'
import { type AskingRules, needsDecision, toolsNamedBy } from '../../src/claude/asking/rules.ts'
import type { Call, CallSettings } from '../../src/claude/runner.ts'
import { ASK_HUMAN } from '../../src/events/options/tools.ts'

const NONE: AskingRules = { approve: [], approved: [], allowed: [] }
const bash = (command: string) => ({ tool: 'Bash', input: { command }, paths: [] })
const write = (...paths: readonly string[]) => ({ tool: 'Write', input: {}, paths })

describe('A tool call has to be decided', () => {
  test.each([
    [bash('make'), ['Bash'], true],
    [bash('make'), ['Write'], false],
    [bash('make'), ['Bash(git push *)'], false],
    [bash('git push origin'), ['Bash(git push *)'], true],
    [bash('cd x && git  push\n origin'), ['Bash(git push:*)'], true],
    [bash('$(git push)'), ['Bash(git push *)'], true],
    [write('src/a.ts', 'src/a.ts'), ['Write(src/**)'], true],
    [write('src/deep/a.ts', 'src/deep/a.ts'), ['Write(./src)'], true],
    [write('docs/a.md', 'docs/a.md'), ['Write(src/**)'], false],
    // Through a link.
    [write('docs/a.md', 'src/a.ts'), ['Write(src/**)'], true],
    [write('SRC/a.ts', 'SRC/a.ts'), ['Write(src/**)'], true],
    [write('a/b/c.ts', 'a/b/c.ts'), ['Write(*.ts)'], true],
    // What is not understood counts.
    [write('docs/a.md', 'docs/a.md'), ['Write(//etc/**)'], true],
    [write('docs/a.md', 'docs/a.md'), ['Write({src,docs}/**)'], true],
    [write(), ['Write(src/**)'], true],
    ...['.', './', './.', 'src//a.ts', 'src/./a.ts', 'src/** ', 'src/**/', 'src/.'].map(
      (scope) => [write('src/a.ts', 'src/a.ts'), [`Write(${scope})`], true] as const,
    ),
    [{ tool: 'Monitor', input: {}, paths: [] }, ['Bash(git push *)'], true],
    [{ tool: 'Bash', input: { command: ['git', 'push'] }, paths: [] }, ['Bash(git push *)'], true],
    // What one tool may not do unasked, no other may.
    [{ tool: 'Edit', input: {}, paths: ['src/a.ts', 'src/a.ts'] }, ['Write(src/**)'], true],
    [{ tool: 'Monitor', input: { command: 'make' }, paths: [] }, ['Bash'], true],
    [{ tool: 'Grep', input: {}, paths: ['secrets', 'secrets'] }, ['Read'], true],
    [{ tool: 'Grep', input: {}, paths: ['', ''] }, ['Read(secrets/**)'], true],
    [{ tool: 'Agent', input: {}, paths: [] }, ['Task'], true],
    [{ tool: 'mcp__db__drop', input: {}, paths: [] }, ['mcp__db'], true],
    [{ tool: 'mcp__db__drop', input: {}, paths: [] }, ['mcp__db__drop'], true],
    [{ tool: 'mcp__dbx__drop', input: {}, paths: [] }, ['mcp__db'], false],
    [{ tool: 'WebFetch', input: { url: 'https://a.b/' }, paths: [] }, ['WebFetch(domain:c.d)'], true],
  ] as const)('%j by %j: %j', (call, approve, expected) => {
    expect(needsDecision(call, { ...NONE, approve })).toBe(expected)
  })

  test.each([
    ['npm test', ['Bash(npm test)'], false],
    ['npm test -- x', ['Bash(npm test)'], true],
    ['npm test -- x', ['Bash(npm test *)'], false],
    ['npm test -- x', ['Bash(npm test:*)'], false],
    ['npm testing', ['Bash(npm test *)'], true],
    ['npm test; rm -rf .', ['Bash(npm test *)'], true],
    ['npm test\nrm -rf .', ['Bash(npm test *)'], true],
    ['npm test $(rm x)', ['Bash(npm test *)'], true],
    ['npm test > /etc/passwd', ['Bash(npm test *)'], true],
    ['npm test', ['Bash'], false],
    ['npm test', ['Monitor'], true],
    ['anything', ['Bash(* --help)'], true],
  ] as const)('unless a remembered rule names all of it: %j by %j: %j', (command, approved, expected) => {
    expect(needsDecision(bash(command), { approve: ['Bash'], approved, allowed: [] })).toBe(expected)
  })

  test('also where it is allowed, unless that is the narrower rule', () => {
    const rules = (approve: string, allowed: string) => ({ ...NONE, approve: [approve], allowed: [allowed] })
    expect(needsDecision(bash('make'), rules('Bash', 'Bash'))).toBe(true)
    expect(needsDecision(bash('make'), rules('Bash', 'Bash(make)'))).toBe(false)
    expect(needsDecision(bash('git push x'), rules('Bash(git push *)', 'Bash(git *)'))).toBe(true)
    expect(needsDecision(write('../x', '../x'), { ...rules('Write', 'Write(**)') })).toBe(true)
  })

  test('whatever a command has beyond the words of a remembered rule', () => {
    const special = fc.constantFrom(...';&|<>`$(){}\n\\\'"!#~*?[]^')
    fc.assert(
      fc.property(fc.string(), special, fc.string(), (before, character, after) => {
        const command = `npm test ${before}${character}${after}`
        expect(
          needsDecision(bash(command), { approve: ['Bash'], approved: ['Bash(npm test *)'], allowed: [] }),
        ).toBe(true)
      }),
      // A command that reads as the rule does.
      { examples: [['', '*', '']] },
    )
  })
})

test('The tools that a hook is asked about are those of the rules, and of their kind', () => {
  expect(toolsNamedBy(['Bash(x)', 'Bash(y)'])).toEqual(['Bash', 'Monitor', 'PowerShell'])
  expect(toolsNamedBy(['Write(src/**)'])).toEqual(['Write', 'Edit', 'MultiEdit', 'NotebookEdit'])
  expect(toolsNamedBy(['mcp__db', 'mcp__x__y', 'WebFetch'])).toEqual(['mcp__db__.*', 'mcp__x__y', 'WebFetch'])
})

describe('A call', () => {
  const call = (settings: Partial<CallSettings>, resumes?: Call['resumes']): Call => ({
    ...{
      callId: 'c',
      taskId: 't',
      agent: 'a',
      attempt: 1,
      sessionId: 's',
      parentSessionId: null,
      prompt: 'go',
    },
    ...{ directories: { workspace: '/w', home: '/h' }, settings: { systemPrompt: '', ...settings } },
    ...(resumes && { resumes }),
  })
  const resumes = { tool: 'Write', toolUseId: 'u', input: {}, verdict: 'allow' } as const

  test('of an agent that asks no person has no hook', () => {
    expect(askingPlan(call({ allowedTools: ['Bash'] }), '/x')).toBeNull()
  })

  test('that resumes has a hook for what was decided, and asks by no more rules than before', () => {
    const plan = askingPlan(call({ approveTools: ['Write(src/**)'] }, resumes), '/x')
    expect(plan?.rules.approve).toEqual(['Write(src/**)'])
    const alone = askingPlan(call({}, resumes), '/x')
    expect(alone?.rules.approve).toEqual([])
    expect(JSON.stringify(alone && askingSettings('/h', alone))).toContain('^(Write|Edit|')
  })

  test('is asked about a question by no rule that a person has remembered', () => {
    const plan = askingPlan(call({ questions: true, approvedRules: [ASK_HUMAN, 'mcp__claude-agents'] }), '/x')
    const asked = { tool: ASK_HUMAN, input: {}, paths: [] }
    expect(plan && needsDecision(asked, plan.rules)).toBe(true)
  })
})
