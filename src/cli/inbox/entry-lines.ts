/** An entry of the inbox as people read it: what is asked, in full, and the command that answers it. */
import { systemClock } from '../../clock.ts'
import { ago, dollars } from '../../events/figures.ts'
import type { InboxEntry } from '../../inbox/entry.ts'
import type { Terminal } from '../terminal/output.ts'
import { asTyped } from '../terminal/own-name.ts'
import { inert, wrapped } from '../terminal/text.ts'

export const NOTHING_WAITS = 'Nothing waits for you.'

/** The lines of an entry where they are printed. Its head is short, and its command stays whole, to be copied. */
export function shownLines(terminal: Terminal, entry: InboxEntry): readonly string[] {
  const [head = '', ...lines] = entryLines(terminal, entry)
  const { columns } = terminal
  if (columns === null) return [head, ...lines]
  return [head, ...brokenLines(lines.slice(0, -1), columns), ...lines.slice(-1)]
}

/** What is broken to fit keeps what its line begins with, so that no text of an agent poses as a line of ours. */
export function brokenLines(lines: readonly string[], columns: number): readonly string[] {
  return lines.flatMap((line) => {
    const [, begin = '', text = ''] = /^( *(?:[|>-] )?)(.*)$/s.exec(line) ?? []
    return wrapped(text, Math.max(1, columns - begin.length)).map((piece) => begin + piece)
  })
}

export function entryLines(terminal: Terminal, entry: InboxEntry, isNumbered = false): readonly string[] {
  const { id, kind, run, since, prompt, tool, input, question, choices, costUsd, command } = entry
  const age = ago(systemClock.now() - Date.parse(since))
  const cost = costUsd === null || costUsd === 0 ? [] : [`${dollars(costUsd)} so far`]
  const ofRun = run === null || kind === 'run' ? [] : [`of run ${run}`]
  return [
    `${terminal.style('yellow', inert(id))}  ${terminal.style('dim', [age, ...ofRun, ...cost].join(', '))}`,
    // On one line: the words of an agent in it are no line of their own.
    `  ${inert(question)
      .trimEnd()
      .replace(/\s*\n\s*/g, ' ')}`,
    ...(prompt === null ? [] : marked(prompt, '|')),
    ...(tool === null ? [] : marked(`${tool} ${JSON.stringify(input, null, 2)}`, '>')),
    ...(choices ?? []).map(
      (choice, at) => `  - ${isNumbered ? `${at + 1}: ` : ''}${inert(choice).replace(/\s*\n\s*/g, ' ')}`,
    ),
    `  ${terminal.style('cyan', asTyped(inert(command)))}`,
  ]
}

const marked = (text: string, mark: string): readonly string[] =>
  inert(text)
    .trimEnd()
    .split('\n')
    .map((line) => `  ${mark} ${line}`)
