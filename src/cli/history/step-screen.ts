/** `replay --step`: one fact and the state after it on the screen, moved through with the keyboard. */
import { on } from 'node:events'
import { emitKeypressEvents } from 'node:readline'
import type { AnyReplayStep } from '../../actors/engine/history.ts'
import { InvalidInputError } from '../../events/errors/usage.ts'
import { type StateChange, stateChanges } from '../../history/state-changes.ts'
import type { GlobalOptions } from '../global-options.ts'
import { coverScreen } from '../terminal/live-lines.ts'
import { type Terminal, terminal } from '../terminal/output.ts'
import { fitting, inert, jsonLine } from '../terminal/text.ts'
import { changeLine, valueLines } from './state-lines.ts'
import { stateName, stateOf } from './state-view.ts'
import { firstView, KEYS, type Key, pressed, type StepText, type StepView } from './step-view.ts'

/** Throws when there is no keyboard, before anything is opened. */
export function checkTerminal({ json }: GlobalOptions): void {
  if (!json && process.stdin.isTTY && process.stdout.isTTY) return
  throw new InvalidInputError({
    what: '--step',
    problem: json ? 'it cannot be combined with --json' : 'it needs a terminal on stdin and stdout',
    hint: 'Without --step, all facts are printed, one per line.',
  })
}

const ALTERNATE_SCREEN = '\x1b[?1049h'
const USUAL_SCREEN = '\x1b[?1049l'
const CLEAR = '\x1b[H\x1b[J'

export async function stepThrough(
  globals: GlobalOptions,
  stream: string,
  steps: readonly AnyReplayStep[],
): Promise<void> {
  const screen = terminal(globals)
  const { stdin, stdout } = process
  if (steps.length === 0) return screen.note('No facts in that range.')
  const texts: StepText[] = steps.map(({ recorded: { version, type, data } }) => ({
    version,
    text: `${type} ${JSON.stringify(data)}`,
  }))
  let view = firstView
  const draw = () => {
    const step = steps[view.index] as AnyReplayStep
    const changes = stateChanges(stateOf(step.before), stateOf(step.after))
    // A terminal that does not know its size says 0.
    const [columns, rows] = [stdout.columns || 80, stdout.rows || 24]
    const lines = screenLines(screen, stream, step, changes, rows - 3)
    // Lines that the terminal wraps would push the keys off the screen.
    const shown = lines.map((line) => fitting(line, columns))
    const status = statusLine(screen, view, texts)
    stdout.write(`${CLEAR}${shown.join('\n')}\n\n${view.typing ? status : fitting(status, columns)}`)
  }
  emitKeypressEvents(stdin)
  stdin.setRawMode(true)
  const uncover = coverScreen()
  stdout.write(ALTERNATE_SCREEN)
  stdout.on('resize', draw)
  try {
    stdin.resume()
    draw()
    // Keys that arrive together are handled one after another.
    for await (const [, key] of on(stdin, 'keypress', { close: ['end'] }) as AsyncIterable<[string, Key]>) {
      view = pressed(view, texts, key)
      if (view.ended) break
      draw()
    }
  } finally {
    stdout.off('resize', draw)
    stdout.write(USUAL_SCREEN)
    uncover()
    stdin.setRawMode(false)
    stdin.pause()
  }
}

function screenLines(
  screen: Terminal,
  stream: string,
  { recorded, before, after }: AnyReplayStep,
  changes: readonly StateChange[],
  rows: number,
): readonly string[] {
  const { version, position, at, type, data } = recorded
  const [from, to] = [stateName(before), stateName(after)]
  const state = from === to ? to : `${from} → ${to}`
  const lines = [
    `${screen.style('bold', stream)}  version ${version}  ${screen.style('dim', `position ${position}, ${at}`)}`,
    `${screen.style('cyan', type)}  ${screen.style('bold', state)}`,
    screen.style('dim', inert(jsonLine(data))),
    '',
    ...changes.map((change) => changeLine(screen, change)),
    '',
    ...valueLines(screen, stateOf(after)),
  ]
  return lines.length <= rows ? lines : [...lines.slice(0, rows - 1), screen.style('dim', '…')]
}

function statusLine(
  screen: Terminal,
  { index, typing, problem }: StepView,
  steps: readonly StepText[],
): string {
  const place = `${index + 1} of ${steps.length}`
  if (typing) return `${typing.kind === 'jump' ? 'to version: ' : '/'}${inert(typing.text)}`
  if (problem) return `${place}  ${screen.style('yellow', inert(problem))}`
  return `${place}  ${screen.style('dim', KEYS)}`
}
