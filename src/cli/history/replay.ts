/** `replay`: the history of a stream fact by fact, printed or on the screen, or verified against what was recorded. */

import type { Command } from 'commander'
import type { AnyReplayStep } from '../../actors/engine/history.ts'
import type { OwnKind } from '../../actors/own/definition.ts'
import { UnknownKindError } from '../../events/errors/actor.ts'
import { StreamNotFoundError } from '../../events/errors/history.ts'
import { InvalidInputError } from '../../events/errors/usage.ts'
import { jsonLine } from '../../events/hidden-characters.ts'
import { defined } from '../../events/json.ts'
import { type StateChange, stateChanges } from '../../history/state-changes.ts'
import type { Orchestrator } from '../../orchestrator.ts'
import { zeroOrMore } from '../arguments.ts'
import { type GlobalOptions, withGlobals } from '../global-options.ts'
import { readStore } from '../session.ts'
import type { Terminal } from '../terminal/output.ts'
import { inert } from '../terminal/text.ts'
import { changesInWords } from './state-lines.ts'
import { stateName, stateOf, stateView } from './state-view.ts'

export function replayCommand(command: Command): void {
  command
    .argument('[stream]')
    .description('replay the history of a stream: every fact and what it changed')
    .option('--from <version>', 'first version', zeroOrMore)
    .option('--to <version>', 'last version', zeroOrMore)
    .option('--module <file>', 'module that exports your own actor definitions (its code runs)')
    .option('--step', 'step forwards and backwards with the keyboard')
    .option('--verify', 'replay and compare with what was recorded; exits with 1 if anything diverges')
    .option('--all', 'with --verify: every stream (the default)')
    .action(withGlobals(replay))
}

interface Range {
  readonly from?: number
  readonly to?: number
}

interface ReplayCommandOptions extends Range {
  readonly step?: boolean
  readonly verify?: boolean
  readonly all?: boolean
  /** A file that exports definitions of actors. */
  readonly module?: string
}

async function replay(
  globals: GlobalOptions,
  stream: string | undefined,
  { verify = false, all = false, step = false, module, ...given }: ReplayCommandOptions,
): Promise<void> {
  if (all && !verify) throw new InvalidInputError({ what: '--all', problem: 'it requires --verify' })
  if (all && stream !== undefined)
    throw new InvalidInputError({ what: '--all', problem: `it cannot be combined with a stream (${stream})` })
  if (verify) {
    if (step) throw new InvalidInputError({ what: '--step', problem: 'it cannot be combined with --verify' })
    return (await import('./verification.ts')).verifyHistory(globals, stream)
  }
  if (stream === undefined)
    throw new InvalidInputError({
      what: 'The stream',
      problem: 'it is missing',
      hint: 'claude-agents replay agent/ID, or claude-agents replay --verify',
    })
  const range = { ...given }
  return step
    ? stepThroughStream(globals, stream, range, module)
    : printStream(globals, stream, range, module)
}

async function stepThroughStream(
  globals: GlobalOptions,
  stream: string,
  range: Range,
  module: string | undefined,
): Promise<void> {
  const { checkTerminal, stepThrough } = await import('./step-screen.ts')
  checkTerminal(globals)
  const steps: AnyReplayStep[] = []
  await readStore(
    globals,
    async ({ orchestrator }) => {
      orchestrator.registerActors(await definitionsOf(module))
      for await (const one of orchestrator.history.replay(stream, range)) steps.push(one)
    },
    () => new StreamNotFoundError({ stream }),
  )
  // The store is closed by now, so stepping through for an hour keeps no other process waiting.
  return stepThrough(globals, stream, steps)
}

function printStream(globals: GlobalOptions, stream: string, range: Range, module: string | undefined) {
  return readStore(globals, async ({ orchestrator, terminal }) => {
    orchestrator.registerActors(await definitionsOf(module))
    let isEmpty = true
    try {
      for await (const one of orchestrator.history.replay(stream, range)) {
        isEmpty = false
        const changes = stateChanges(stateOf(one.before), stateOf(one.after))
        if (terminal.json) terminal.value(jsonStep(stream, one, changes))
        else terminal.row(stepLine(terminal, one, changes))
      }
      if (isEmpty) terminal.note('No facts in that range.')
    } catch (error) {
      if (!(error instanceof UnknownKindError)) throw error
      await printFacts(orchestrator.history, terminal, stream, range)
    }
  })
}

async function definitionsOf(file: string | undefined): Promise<readonly OwnKind[]> {
  if (file === undefined) return []
  const { exportedActors } = await import('../../actors/own/definition.ts')
  const { loadModule } = await import('../../workflows/exported-pattern.ts')
  return exportedActors(file, (await loadModule(file)).exports)
}

function jsonStep(stream: string, { recorded, ...step }: AnyReplayStep, changes: readonly StateChange[]) {
  const { version, position, at, type } = recorded
  const [before, after] = [stateView(stream, step.before), stateView(stream, step.after)]
  return { version, position, at, type, before, after, changes }
}

const TYPE_WIDTH = 18
const STATE_WIDTH = 16

function stepLine(
  terminal: Terminal,
  { recorded, before, after }: AnyReplayStep,
  changes: readonly StateChange[],
) {
  const [from, to] = [stateName(before), stateName(after)]
  const [plain, styled] =
    from === to ? [to, to] : [`${from} → ${to}`, `${from} → ${terminal.style('bold', to)}`]
  const padding = ' '.repeat(Math.max(0, STATE_WIDTH - plain.length))
  // The state itself has a column of its own.
  const others = changes.filter(({ path }) => path !== 'value')
  const words = terminal.style('dim', changesInWords(others))
  return `${numbered(recorded)}  ${styled}${padding}  ${words}`.trimEnd()
}

const numbered = ({ version, type }: { readonly version: number; readonly type: string }) =>
  `${String(version).padStart(5)}  ${type.padEnd(TYPE_WIDTH)}`

/** The facts of an actor whose definition is in a program of the user: its states are unknown here. */
async function printFacts(
  history: Pick<Orchestrator['history'], 'log'>,
  terminal: Terminal,
  stream: string,
  { from = 1, to }: Range,
): Promise<void> {
  terminal.note('Facts without states: this kind of actor is defined in a program (--module FILE).')
  const range = defined({ stream, after: from - 1, to })
  for await (const recorded of history.log(range)) {
    const { version, type, data } = recorded
    if (terminal.json) terminal.value({ version, type, data, before: null, after: null })
    else terminal.row(`${numbered(recorded)}  ${terminal.style('dim', inert(jsonLine(data)))}`)
  }
}
