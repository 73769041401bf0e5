/** `replay`: the history of a stream, fact by fact; and the proof that it comes to the same again. */
import type { AnyReplayStep } from '../actors/engine/replay.ts'
import type { OwnKind } from '../actors/own/definition.ts'
import type { StateChange } from '../history/state-changes.ts'
import { noteNoStore } from './agent-commands.ts'
import { type GlobalOptions, hasStore } from './global-options.ts'
import { withSession } from './session.ts'
import { mustHaveStore } from './state-commands.ts'
import { changesInWords } from './state-lines.ts'
import { stateName, stateOf, stateView } from './state-view.ts'
import type { Terminal } from './terminal.ts'

export interface ReplayCommandOptions {
  readonly from?: number
  readonly to?: number
  readonly step?: boolean
  readonly verify?: boolean
  readonly all?: boolean
  /** A file that exports definitions of actors. */
  readonly module?: string
}

export async function replay(
  globals: GlobalOptions,
  stream: string | undefined,
  { verify = false, all = false, step = false, module, ...range }: ReplayCommandOptions,
): Promise<void> {
  const { InvalidInputError } = await import('../events/errors/usage.ts')
  if (all && !verify) throw new InvalidInputError({ what: '--all', problem: 'it goes with --verify' })
  if (all && stream !== undefined)
    throw new InvalidInputError({ what: '--all', problem: `${stream} is named as well` })
  if (verify) {
    if (step) throw new InvalidInputError({ what: '--step', problem: 'it does not go with --verify' })
    return (await import('./replay-verification.ts')).verifyReplay(globals, stream)
  }
  if (stream === undefined)
    throw new InvalidInputError({
      what: 'The stream',
      problem: 'none is named',
      hint: 'claude-agents replay agent/ID, or claude-agents replay --verify',
    })
  if (step) {
    const { checkTerminal, stepThrough } = await import('./step-screen.ts')
    await checkTerminal(globals)
    await mustHaveStore(globals, stream)
    const steps: AnyReplayStep[] = []
    await withSession(globals, async ({ orchestrator }) => {
      orchestrator.registerActors(await definitionsOf(module))
      for await (const one of orchestrator.history.replay(stream, range)) steps.push(one)
    })
    // The store is closed by then: whoever looks for long keeps nobody waiting.
    return stepThrough(globals, stream, steps)
  }
  if (!hasStore(globals)) return noteNoStore(globals)
  return withSession(globals, async ({ orchestrator, terminal }) => {
    const { stateChanges } = await import('../history/state-changes.ts')
    const { UnknownKindError } = await import('../events/errors/actor.ts')
    orchestrator.registerActors(await definitionsOf(module))
    try {
      for await (const one of orchestrator.history.replay(stream, range)) {
        const changes = stateChanges(stateOf(one.before), stateOf(one.after))
        if (terminal.json) terminal.value(jsonStep(stream, one, changes))
        else terminal.line(stepLine(terminal, one, changes))
      }
    } catch (error) {
      if (!(error instanceof UnknownKindError)) throw error
      await (await import('./facts-alone.ts')).factsAlone(orchestrator, terminal, stream, range)
    }
  })
}

async function definitionsOf(file: string | undefined): Promise<readonly OwnKind[]> {
  if (file === undefined) return []
  const { exportedActors } = await import('../actors/own/definition.ts')
  const { loadModule } = await import('../workflows/exported-pattern.ts')
  return exportedActors(file, await loadModule(file))
}

/** What changed besides the state itself, which has a column of its own. */
export const contextChanges = (changes: readonly StateChange[]) =>
  changes.filter(({ path }) => path !== 'value')

function jsonStep(stream: string, { recorded, ...step }: AnyReplayStep, changes: readonly StateChange[]) {
  const { version, position, at, type } = recorded
  const [before, after] = [stateView(stream, step.before), stateView(stream, step.after)]
  return { version, position, at, type, before, after, changes }
}

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
  const words = terminal.style('dim', changesInWords(contextChanges(changes)))
  const number = String(recorded.version).padStart(5)
  return `${number}  ${recorded.type.padEnd(18)}  ${styled}${padding}  ${words}`.trimEnd()
}
