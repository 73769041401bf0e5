/** Hints on the command line name only what can be done there. */
import { expect, test } from 'vitest'
import { commandNamed } from '../../src/cli/lazy-command.ts'
import { completeProgram } from '../../src/cli/program.ts'
import { asTyped } from '../../src/cli/terminal/own-name.ts'
import { classes, made } from '../events/all-errors.ts'

/** Thrown by code of the user's own, or by commands to a supervisor, which only code has. */
const OF_CODE = new Set([
  ...['ActorStoppedError', 'InvalidDecisionError', 'NotReplayableError', 'InvalidSpecificationError'],
  ...['ChildAlreadyPresentError', 'ChildAlreadyStartedError', 'ChildNotFoundError', 'ChildRunningError'],
  ...['ChildRestartingError', 'NotForDynamicChildrenError', 'SupervisorStoppedError', 'InvalidResultError'],
  'WorkflowTooDeepError',
])

const hints = classes.map(([name, ErrorClass]) => [name, asTyped(made(name, ErrorClass).hint)] as const)

test('no hint on the command line names what only code can do', () => {
  const inCode = /\b[a-z]+[A-Z]\w*|\(\)|`|\bin code\b/
  const found = hints.filter(([name, hint]) => !OF_CODE.has(name) && inCode.test(hint))
  expect(found).toEqual([])
})

test('every command and option that a hint names exists', async () => {
  const program = await completeProgram()
  const options = new Set<string>()
  const collect = (command: typeof program) => {
    for (const { long } of command.options) options.add(long ?? '')
    command.commands.forEach(collect)
  }
  collect(program)
  const wrong: string[] = []
  for (const [name, hint] of hints) {
    for (const [, words = ''] of hint.matchAll(/claude-agents ((?:--[a-z-]+ \w+ )?[a-z-]+(?: [a-z-]+)?)/g)) {
      const { names } = await commandNamed(program, words.split(' '))
      if (names.length === 0 && !words.startsWith('--')) wrong.push(`${name}: ${words}`)
    }
    for (const [option] of hint.matchAll(/--[a-z][a-z-]+/g))
      if (!options.has(option)) wrong.push(`${name}: ${option}`)
  }
  expect(wrong).toEqual([])
})

test('what only code can do is an aside, which programs are told', () => {
  const hint = 'Remove one: claude-agents agent remove ID. Or raise it (in code: maxAgents, or run.pause()).'
  expect(asTyped(hint, {})).toBe('Remove one: claude-agents agent remove ID. Or raise it.')
})
