/** What a user at a terminal sees of a run. */
import { describe, expect, test, vi } from 'vitest'
import { ProgressLines } from '../../../src/cli/workflow/progress.ts'
import type { StepEvent } from '../../../src/patterns/runs/step-event.ts'
import { answer } from '../../../src/testing/model/answer.ts'
import { simulatedModel } from '../../../src/testing/model/simulated-model.ts'
import { MAIN, QUICK_CLAUDE, quickCommandLine } from '../command.ts'
import { hasTmux, tmux } from '../tmux.ts'

const plain = { accent: (_: unknown, text: string) => text }
const screen = { columns: 80, rows: 24 }
const nothing = { stepKey: 'x', costUsd: 0, tokens: 0, text: null, problem: null }
const event = (agent: string, ask: number, state: StepEvent['state'], more: Partial<StepEvent> = {}) => ({
  ...nothing,
  agent,
  ask,
  state,
  ...more,
})

describe('the progress of a run', () => {
  test('is a line for each agent, with state, time, tokens and cost', () => {
    const progress = new ProgressLines(['researcher', 'writer'], plain)
    progress.note(event('researcher', 1, 'scheduled'), 1000)
    expect(progress.lines(3500, screen)).toEqual([
      '▸ researcher working        2.5 s',
      '· writer     waiting',
    ])
    progress.note(event('researcher', 1, 'succeeded', { tokens: 1200, costUsd: 0.0123 }), 4000)
    progress.note(event('writer', 2, 'scheduled'), 4000)
    expect(progress.lines(200_000, screen)).toEqual([
      '✓ researcher done           3.0 s    1200 tokens $0.0123',
      '▸ writer     working         3:16',
    ])
  })

  test('sums up the asks of an agent, and shows how many of a pool are working', () => {
    const progress = new ProgressLines([], plain)
    for (const ask of [1, 2, 3]) progress.note(event('worker', ask, 'scheduled'), 0)
    progress.note(event('worker', 2, 'succeeded', { tokens: 10, costUsd: 0.5 }), 1000)
    expect(progress.lines(2000, screen)).toEqual(['▸ worker working (2)    2.0 s      10 tokens $0.50'])
    progress.note(event('worker', 1, 'succeeded', { tokens: 10, costUsd: 0.5 }), 2000)
    progress.note(event('worker', 3, 'failed'), 4000)
    expect(progress.lines(9000, screen)).toEqual(['✗ worker failed         4.0 s      20 tokens $1.00'])
  })

  test('on a narrow screen cuts long names, keeps state and time, and leaves out a figure that has no room', () => {
    const progress = new ProgressLines(['an-agent-with-a-very-long-name', '研究'], plain)
    progress.note(event('an-agent-with-a-very-long-name', 1, 'scheduled'), 0)
    const spent = { tokens: 1_234_567, costUsd: 12.3456 }
    progress.note(event('an-agent-with-a-very-long-name', 1, 'succeeded', spent), 3000)
    const at = (columns: number) => progress.lines(3000, { columns, rows: 10 })
    expect(at(80)[0]).toBe('✓ an-agent-with-a-very-long-name done           3.0 s 1234567 tokens $12.3456')
    expect(at(60)[0]).toBe('✓ an-agent-with-a-very-long-name done           3.0 s')
    expect(at(40)).toEqual(['✓ an-agent-with-a… done           3.0 s', '· 研究             waiting'])
  })

  test('fits the screen', () => {
    const progress = new ProgressLines(
      Array.from({ length: 30 }, (_, index) => `agent-with-a-long-name-${index}`),
      plain,
    )
    progress.note(event('agent-with-a-long-name-29', 1, 'scheduled'), 0)
    const lines = progress.lines(0, { columns: 30, rows: 10 })
    expect(lines.length).toBe(8)
    expect(lines.at(-1)).toBe('  and 23 more, 1 of them wor…')
    expect(lines[0]).toBe('· agent-w… waiting')
    expect(lines.every((line) => line.length < 30)).toBe(true)
  })
})

// Without tmux there is no screen; the lines themselves are tested above.
test.runIf(hasTmux)(
  'A terminal (tmux) shows what each agent does, a pause by Ctrl-C, and the resumed run',
  async () => {
    await using model = await simulatedModel({
      reply: ['findings', answer.held('never'), 'analysis', 'A report.'],
    })
    const { folder, run } = await quickCommandLine(model.environment)
    const terminal = await tmux(folder, { ...model.environment, CLAUDE_AGENTS_CLAUDE_PATH: QUICK_CLAUDE })
    const workflow = `${process.execPath} ${MAIN} workflow`
    await terminal.type(`${workflow} template research 'tidal energy' --id r1`)
    const working = await terminal.shows(/▸ analyst +working +[1-9][\d.]* s/)
    expect(working).toMatch(
      /^run r1 \(Ctrl-C pauses it\)\n✓ researcher done +[\d.]+ s +\d+ tokens \$\d\.\d{2,}\n▸ analyst +working +[\d.]+ s\n· writer +waiting\n/,
    )
    await vi.waitFor(() => expect(model.requests.length).toBe(2), { timeout: 30_000 })
    await terminal.press('C-c')
    const paused = await terminal.shows(/workflow resume r1\n[#$]/)
    expect(paused).toMatch(
      /✓ researcher done .*\n- analyst +cancelled .*\n· writer +waiting\nerror: Run "r1" was paused.*\n +Resume it: claude-agents workflow resume r1\n/,
    )
    await terminal.type(`echo "exit $code"; ${workflow} resume r1; echo "exit $?"`)
    const done = await terminal.shows(/exit \d+\n(.*\n)+exit \d/)
    expect(done).toMatch(
      /^exit 130\nrun r1 .*\n= researcher reused +\d+ tokens \$.*\n✓ analyst +done .*\n✓ writer +done .*\nA report\.\n3 steps \(1 from the log\), \$[\d.]+, run r1\nexit 0\n/,
    )
    expect((await run(['workflow', 'list', '--json'])).values).toMatchObject([
      { runId: 'r1', status: 'succeeded', steps: 3, done: 3 },
    ])
  },
)
