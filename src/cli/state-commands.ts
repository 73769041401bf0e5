/** `state` and `diff`: what an actor's state was, and what changed between two moments. */
import type { StateAt } from '../actors/engine/fold-at.ts'
import { type GlobalOptions, hasStore } from './global-options.ts'
import { withSession } from './session.ts'
import { changeLine, valueLines } from './state-lines.ts'

export async function state(
  globals: GlobalOptions,
  stream: string,
  { at, atTime }: { readonly at?: number; readonly atTime?: Date },
): Promise<void> {
  await mustHaveStore(globals, stream)
  return withSession(globals, async ({ orchestrator, terminal }) => {
    const found = await orchestrator.history.stateAt(stream, at ?? atTime)
    if (terminal.json) return terminal.value(found)
    const { value, context } = found.state
    terminal.line(`${terminal.style('bold', stream)}  ${terminal.style('dim', placeOf(found))}`)
    for (const line of valueLines(terminal, { state: value, ...(context as object) })) terminal.line(line)
  })
}

export async function diff(globals: GlobalOptions, stream: string, a: string, b: string): Promise<void> {
  const { stateChanges } = await import('../history/state-changes.ts')
  const [from, to] = [await versionIn(a), await versionIn(b)]
  await mustHaveStore(globals, stream)
  return withSession(globals, async ({ orchestrator, terminal }) => {
    const before = await orchestrator.history.stateAt(stream, from)
    const after = await orchestrator.history.stateAt(stream, to)
    const changes = stateChanges(before.state, after.state)
    if (terminal.json) return terminal.value({ stream, from, to, changes })
    terminal.line(`${terminal.style('bold', stream)}  ${terminal.style('dim', `version ${from} → ${to}`)}`)
    for (const change of changes) terminal.line(changeLine(terminal, change))
    if (changes.length === 0) terminal.note('Nothing changed.')
  })
}

const placeOf = ({ version, position, at }: StateAt) =>
  position === null ? 'before its first fact' : `version ${version}, position ${position}, ${at}`

async function versionIn(text: string): Promise<number> {
  if (/^\d{1,15}$/.test(text)) return Number(text)
  const { InvalidInputError } = await import('../events/errors/usage.ts')
  throw new InvalidInputError({ what: 'A version', problem: `${JSON.stringify(text)} is not a whole number` })
}

/** Whoever asks for a stream must not be told that all is well where there is nothing. */
export async function mustHaveStore(globals: GlobalOptions, stream: string): Promise<void> {
  if (hasStore(globals)) return
  const { StreamNotFoundError } = await import('../events/errors/history.ts')
  throw new StreamNotFoundError({ stream })
}
