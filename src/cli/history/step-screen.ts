/** `replay --step`: one fact and what it changed on the screen, moved through with the keyboard. */
import type { AnyReplayStep } from '../../actors/engine/history.ts'
import type { Recorded } from '../../events/envelope.ts'
import { InvalidInputError } from '../../events/errors/usage.ts'
import type { Json } from '../../events/json.ts'
import { stateChanges } from '../../history/state-changes.ts'
import type { GlobalOptions } from '../global-options.ts'
import { listenForInterruption } from '../interruption.ts'
import { readStore } from '../session.ts'
import { type Terminal, terminal } from '../terminal/output.ts'
import { hasKeys, type Size, showScreen } from '../terminal/screen.ts'
import { ending, inert, wrapped } from '../terminal/text.ts'
import { changeLine, valueLines } from './state-lines.ts'
import { stateName, stateOf } from './state-view.ts'
import { factParts, isBlob, type LongText, stepTexts, textRead } from './step-texts.ts'
import { firstView, KEYS, pressed, type StepText, type StepView } from './step-view.ts'

/** Throws when there is no keyboard, before anything is opened. */
export function checkTerminal({ json }: GlobalOptions): void {
  if (!json && hasKeys()) return
  throw new InvalidInputError({
    what: '--step',
    problem: json ? 'it cannot be combined with --json' : 'it needs a terminal on stdin and stdout',
    hint: 'Without --step, all facts are printed, one per line.',
  })
}

/** In columns, for the name of a part of a fact. */
const NAMES = 24
/** For the line of keys and what separates it. */
const FOOT = 2

export async function stepThrough(
  globals: GlobalOptions,
  stream: string,
  steps: readonly AnyReplayStep[],
): Promise<void> {
  const screen = terminal(globals)
  if (steps.length === 0) return screen.note('No facts in that range.')
  const found: StepText[] = steps.map(({ recorded: { version, type, data } }) => ({
    version,
    text: `${type} ${JSON.stringify(data)}`,
  }))
  let view = firstView
  let rows = 0
  const lines = shownLines(globals, screen, stream, steps)
  const draw = async (size: Size) => {
    rows = Math.max(1, size.rows - FOOT)
    const all = await lines(view, size.columns)
    view = { ...view, offset: Math.min(view.offset, Math.max(0, all.length - rows)) }
    const below = all.length - view.offset - rows
    const status = statusLine(screen, view, steps.length, below, size.columns)
    const shown = all.slice(view.offset, view.offset + rows)
    return { lines: [...shown, '', status].slice(-size.rows), isTyping: view.typing !== null }
  }
  const interruption = listenForInterruption()
  try {
    await showScreen(
      {
        draw,
        press: (key) => {
          view = pressed(view, found, key, rows)
          return !view.ended
        },
      },
      interruption.signal,
    )
  } finally {
    interruption.stop()
  }
}

/** The lines of a step. They are made once for each that is shown, however often it is drawn. */
function shownLines(
  globals: GlobalOptions,
  screen: Terminal,
  stream: string,
  steps: readonly AnyReplayStep[],
): (view: StepView, columns: number) => Promise<readonly string[]> {
  let key = ''
  let made: readonly string[] = []
  return async ({ index, isWhole }, columns) => {
    const wanted = [index, isWhole, columns].join()
    if (wanted === key) return made
    const step = steps[index] as AnyReplayStep
    const { recorded, before, after } = step
    const { version, position, at, type, data } = recorded
    const [from, to] = [stateName(before), stateName(after)]
    const { rest, texts } = factParts(data as Json, Math.max(1, columns - NAMES))
    const full = await fullTexts(globals, texts, recorded, scheduledBefore(steps, index))
    made = [
      `${screen.style('bold', stream)}  version ${version}  ${screen.style('dim', `position ${position}, ${at}`)}`,
      `${screen.style('cyan', type)}  ${screen.style('bold', from === to ? to : `${from} → ${to}`)}`,
      ...valueLines(screen, rest, '  '),
      ...full.flatMap(([name, text]) => [
        '',
        screen.style('dim', inert(name)),
        ...wrapped(text.trimEnd(), Math.max(1, columns - 2)).map((line) => `  ${line}`),
      ]),
      '',
      ...stateChanges(stateOf(before), stateOf(after)).map((change) => changeLine(screen, change)),
      ...(isWhole ? ['', ...valueLines(screen, stateOf(after))] : []),
    ]
    key = wanted
    return made
  }
}

/** The fact in which the step was asked that this fact ends. */
function scheduledBefore(steps: readonly AnyReplayStep[], index: number): Recorded | undefined {
  const { type, data } = (steps[index] as AnyReplayStep).recorded
  if (type === 'StepScheduled') return steps[index]?.recorded
  if (type !== 'StepSucceeded' || data.text !== undefined) return undefined
  return steps
    .slice(0, index)
    .findLast(({ recorded }) => recorded.type === 'StepScheduled' && recorded.data.stepKey === data.stepKey)
    ?.recorded
}

/** Opens the store only for what is not in the fact itself. */
async function fullTexts(
  globals: GlobalOptions,
  own: readonly LongText[],
  recorded: Recorded,
  asked: Recorded | undefined,
): Promise<readonly (readonly [name: string, text: string])[]> {
  if (asked === undefined && !own.some(isBlob))
    return own.map(({ name, body }) => [name, body as string] as const)
  const read: (readonly [string, string])[] = []
  await readStore(globals, async ({ orchestrator: { store } }) => {
    const others = asked === undefined ? [] : await stepTexts(store, recorded, asked)
    for (const text of [...own, ...others]) read.push([text.name, await textRead(store, text)])
  })
  return read
}

function statusLine(
  screen: Terminal,
  { index, typing, problem }: StepView,
  steps: number,
  below: number,
  columns: number,
): string {
  const place = `${index + 1} of ${steps}`
  if (typing)
    return ending(`${typing.kind === 'jump' ? 'to version: ' : '/'}${inert(typing.text)}`, columns - 1)
  if (problem) return `${place}  ${screen.style('yellow', inert(problem))}`
  const more = below > 0 ? `  ${screen.style('yellow', `${below} more below`)}` : ''
  return `${place}${more}  ${screen.style('dim', KEYS)}`
}
