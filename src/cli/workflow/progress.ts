/** What a team is doing, one line per agent, while the user watches: state, time, tokens, cost. */
import type { Clock } from '../../clock.ts'
import { dollars, duration, plural } from '../../events/figures.ts'
import type { RecordedStepEvent, StepEvent } from '../../patterns/runs/step-event.ts'
import { drawLive, endLive } from '../terminal/live-lines.ts'
import type { Terminal } from '../terminal/output.ts'
import { cut, fitting, inert, padded, widthOf } from '../terminal/text.ts'

interface Row {
  readonly agent: string
  /** The asks that it is working on. */
  readonly open: Set<number>
  /** Those of them that are held. */
  readonly held: Set<number>
  /** How its last ask ended. */
  ended: Exclude<StepEvent['state'], 'scheduled' | 'held' | 'released'> | null
  /** Since when it has been working, and for how long it did before. */
  since: number
  workedMs: number
  tokens: number
  costUsd: number
}

const REDRAW_MS = 250
/** In columns: what a line needs besides the name of the agent, its tokens and its cost. */
const STATE_AND_TIME = 24
const SHORTEST_NAME = 8
const LOOKS = {
  waiting: ['·', 'dim'],
  held: ['‖', 'yellow'],
  working: ['▸', 'cyan'],
  succeeded: ['✓', 'green'],
  reused: ['=', 'green'],
  failed: ['✗', 'red'],
  cancelled: ['-', 'yellow'],
} as const
const WORDS = { succeeded: 'done', reused: 'reused', failed: 'failed', cancelled: 'cancelled' } as const

/** The current lines, cut to the screen. */
export class ProgressLines {
  readonly #rows = new Map<string, Row>()
  readonly #terminal: Pick<Terminal, 'accent'>

  constructor(agents: readonly string[], terminal: Pick<Terminal, 'accent'>) {
    this.#terminal = terminal
    this.expect(agents)
  }

  /** Shows these agents even before they are asked. */
  expect(agents: readonly string[]): void {
    for (const agent of agents) this.#row(agent)
  }

  note({ agent, ask, state, tokens, costUsd }: Omit<StepEvent, 'text'>, now: number): void {
    const row = this.#row(agent)
    if (state === 'scheduled') {
      if (row.open.size === 0) row.since = now
      row.open.add(ask)
      return
    }
    if (state === 'held') return void row.held.add(ask)
    row.held.delete(ask)
    if (state === 'released') return
    if (row.open.delete(ask) && row.open.size === 0) row.workedMs += now - row.since
    row.ended = state
    row.tokens += tokens
    row.costUsd += costUsd
  }

  lines(now: number, { columns, rows }: { columns: number; rows: number }): readonly string[] {
    const all = [...this.#rows.values()]
    const longest = Math.max(...all.map(({ agent }) => widthOf(agent)), 1)
    const width = Math.min(longest, Math.max(SHORTEST_NAME, columns - STATE_AND_TIME))
    const fit = Math.max(1, rows - 2)
    const shown = all.length <= fit ? all : all.slice(0, fit - 1)
    const lines = shown.map((row) => this.#line(row, width, now, columns))
    const hidden = all.slice(shown.length)
    if (hidden.length === 0) return lines
    const working = hidden.filter(({ open }) => open.size > 0).length
    return [...lines, `  and ${hidden.length} more, ${working} of them working`].map((line) =>
      fitting(line, columns - 1),
    )
  }

  #line(row: Row, width: number, now: number, columns: number): string {
    const { agent, open, held, ended, since, workedMs, tokens, costUsd } = row
    const isHeld = open.size > 0 && held.size === open.size
    const look = isHeld ? 'held' : open.size > 0 ? 'working' : (ended ?? 'waiting')
    const word = isHeld
      ? 'held'
      : open.size > 0
        ? `working${open.size > 1 ? ` (${open.size})` : ''}`
        : ended
          ? WORDS[ended]
          : 'waiting'
    const worked = workedMs + (open.size > 0 ? now - since : 0)
    const cells = [
      LOOKS[look][0],
      padded(cut(agent, width), width),
      word.padEnd(12),
      (look === 'waiting' || look === 'reused' ? '' : duration(worked)).padStart(7),
      (tokens > 0 ? plural(tokens, 'token') : '').padStart(14),
      costUsd > 0 ? dollars(costUsd) : '',
    ]
    // A figure that is cut would be another one.
    while (widthOf(cells.join(' ').trimEnd()) >= columns && cells.length > 4) cells.pop()
    return this.#terminal.accent(LOOKS[look][1], fitting(cells.join(' ').trimEnd(), columns - 1))
  }

  #row(agent: string): Row {
    const known = this.#rows.get(agent)
    if (known) return known
    const row = {
      agent,
      open: new Set<number>(),
      held: new Set<number>(),
      ended: null,
      since: 0,
      workedMs: 0,
      tokens: 0,
      costUsd: 0,
    }
    this.#rows.set(agent, row)
    return row
  }
}

/** One event of a step as a line, with what else is to be said of it. */
export function eventLine(
  terminal: Pick<Terminal, 'style'>,
  { agent, state, tokens, costUsd, problem }: RecordedStepEvent,
): string {
  const [sign, colour] = LOOKS[state === 'scheduled' || state === 'released' ? 'working' : state]
  const word = { ...WORDS, scheduled: 'working', held: 'held', released: 'continues' }[state]
  const figures = state === 'succeeded' ? [plural(tokens, 'token'), dollars(costUsd)] : []
  const said = problem === null ? [] : [inert(problem).replace(/\s+/g, ' ')]
  return [`${terminal.style(colour, sign)} ${agent}`, terminal.style(colour, word), ...figures, ...said].join(
    '  ',
  )
}

/** Shows the progress of a run until it is stopped, if stderr is a terminal. */
export function showProgress(
  terminal: Terminal,
  clock: Clock,
): Pick<ProgressLines, 'expect'> & { note(event: Omit<StepEvent, 'text'>, at?: number): void; stop(): void } {
  if (!process.stderr.isTTY || terminal.json) return { expect: () => {}, note: () => {}, stop: () => {} }
  const progress = new ProgressLines([], terminal)
  const draw = () => {
    const { columns = 80, rows = 24 } = process.stderr
    drawLive(progress.lines(clock.now(), { columns, rows }))
  }
  let cancel = () => {}
  const redraw = () => {
    draw()
    cancel = clock.after(REDRAW_MS, redraw)
  }
  redraw()
  return {
    expect: (agents) => progress.expect(agents),
    note: (event, at = clock.now()) => progress.note(event, at),
    stop() {
      cancel()
      draw()
      endLive()
    },
  }
}
