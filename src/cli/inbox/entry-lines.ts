/** An entry of the inbox as people read it: what is asked, in full, and the command that answers it. */
import { systemClock } from '../../clock.ts'
import { ago, dollars } from '../../events/figures.ts'
import type { InboxEntry } from '../../inbox/entry.ts'
import type { Terminal } from '../terminal/output.ts'
import { asTyped } from '../terminal/own-name.ts'
import { inert } from '../terminal/text.ts'

export const NOTHING_WAITS = 'Nothing waits for you.'

export function entryLines(terminal: Terminal, entry: InboxEntry): readonly string[] {
  const { id, kind, run, since, prompt, question, costUsd, command } = entry
  const age = ago(systemClock.now() - Date.parse(since))
  const cost = costUsd === null || costUsd === 0 ? [] : [`${dollars(costUsd)} so far`]
  const ofRun = run === null || kind === 'run' ? [] : [`of run ${run}`]
  return [
    `${terminal.style('yellow', inert(id))}  ${terminal.style('dim', [age, ...ofRun, ...cost].join(', '))}`,
    // On one line: the words of an agent in it are no line of their own.
    `  ${inert(question)
      .trimEnd()
      .replace(/\s*\n\s*/g, ' ')}`,
    ...(prompt === null
      ? []
      : inert(prompt)
          .trimEnd()
          .split('\n')
          .map((line) => `  | ${line}`)),
    `  ${terminal.style('cyan', asTyped(inert(command)))}`,
  ]
}
