/** `replay --step` on a terminal. */
import { expect, test } from 'vitest'
import { simulatedModel } from '../../../src/testing/model/simulated-model.ts'
import { MAIN, QUICK_CLAUDE, quickCommandLine } from '../command.ts'
import { hasTmux, tmux } from '../tmux.ts'

test.runIf(hasTmux)('A person (tmux) reads prompts and answers in full, and only what changed', async () => {
  const long = (what: string) => `${'first words of it '.repeat(120)}\nthe end of the ${what}`
  await using model = await simulatedModel({ reply: [long('answer')] })
  const { folder, run } = await quickCommandLine(model.environment)
  await run(['agent', 'create', 'writer', 'You write.'])
  // Longer than what a fact holds itself.
  await run(['workflow', 'run', 'writer', `${'x '.repeat(40_000)}${long('prompt')}`, '--id', 'r1'])
  const terminal = await tmux(folder, { ...model.environment, CLAUDE_AGENTS_CLAUDE_PATH: QUICK_CLAUDE })
  await terminal.type(`${process.execPath} ${MAIN} replay run/r1 --step; echo "exit $?"`)
  await terminal.shows(/run\/r1 {2}version 1 (.|\n)*RunStarted(.|\n)*more below/)
  for (const [keys, type, what] of [
    [['n'], 'StepScheduled', 'prompt'],
    [['n'], 'StepSucceeded', 'answer'],
  ] as const) {
    await terminal.press(...keys)
    await terminal.shows(new RegExp(type))
    await terminal.press(...Array.from({ length: 80 }, () => 'NPage'))
    const shown = await terminal.shows(new RegExp(`the end of the ${what}`))
    expect(shown).not.toContain('workflow  ')
    expect(shown).toMatch(/[~+] /)
  }
  await terminal.press('s')
  await terminal.press(...Array.from({ length: 80 }, () => 'NPage'))
  await terminal.shows(/costUsd {2}/)
  await terminal.press('q')
  await terminal.shows(/exit 0\n/)
})
