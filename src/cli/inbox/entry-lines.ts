/** An entry of the inbox as people read it: what is asked, in full, and the command that answers it. */
import { systemClock } from '../../clock.ts'
import { ago, dollars, plural } from '../../events/figures.ts'
import { escapedJson } from '../../events/hidden-characters.ts'
import type { InboxEntry, ProposedChange } from '../../inbox/entry.ts'
import { proposedChange } from '../../inbox/proposed-change.ts'
import type { Terminal } from '../terminal/output.ts'
import { asTyped } from '../terminal/own-name.ts'
import { inert, wrapped } from '../terminal/text.ts'

export const NOTHING_WAITS = 'Nothing waits for you.'

/** The lines of an entry where they are printed. Its head is short, and its command stays whole, to be copied. */
export async function shownLines(
  terminal: Terminal,
  entry: InboxEntry,
  baseDir: string,
): Promise<readonly string[]> {
  const [head = '', ...lines] = await entryLines(terminal, entry, baseDir)
  const { columns } = terminal
  if (columns === null) return [head, ...lines]
  return [head, ...brokenLines(lines.slice(0, -1), columns), ...lines.slice(-1)]
}

/** The same of several. */
export const shownEntries = (terminal: Terminal, entries: readonly InboxEntry[], baseDir: string) =>
  Promise.all(entries.map((entry) => shownLines(terminal, entry, baseDir)))

/** What is broken to fit keeps what its line begins with, so that no text of an agent poses as a line of ours. */
export function brokenLines(lines: readonly string[], columns: number): readonly string[] {
  return lines.flatMap((line) => {
    const [, begin = '', text = ''] = /^( *(?:[|>-] )?)(.*)$/s.exec(line) ?? []
    return wrapped(text, Math.max(1, columns - begin.length)).map((piece) => begin + piece)
  })
}

/** @param baseDir Where agents live: their files show what a call would change. */
export async function entryLines(
  terminal: Terminal,
  entry: InboxEntry,
  baseDir: string,
  isNumbered = false,
): Promise<readonly string[]> {
  const { id, kind, agent, run, since, prompt, tool, input, question, choices, costUsd, command } = entry
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
    // With hidden characters as escapes: they are a part of what is decided.
    ...(tool === null ? [] : marked(`${tool} ${escapedJson(JSON.stringify(input, null, 2))}`, '>')),
    ...changeLines(await proposedChange(entry, baseDir)).flatMap((line) => marked(line, '>')),
    ...(choices ?? []).map(
      (choice, at) => `  - ${isNumbered ? `${at + 1}: ` : ''}${inert(choice).replace(/\s*\n\s*/g, ' ')}`,
    ),
    ...(kind === 'landing' ? [`  See it: ${asTyped(`claude-agents agent diff ${agent}`)}`] : []),
    `  ${terminal.style('cyan', asTyped(inert(command)))}`,
  ]
}

function changeLines(change: ProposedChange | null): readonly string[] {
  if (change === null) return []
  const { path, patch, moreLines, problem } = change
  if (problem !== null) return [`${path}: ${problem}`]
  const more = moreLines > 0 ? [`… and ${plural(moreLines, 'more line')}`] : []
  return [`What would change in ${path}, as it is now:`, ...patch.map(([, text]) => text), ...more]
}

const marked = (text: string, mark: string): readonly string[] =>
  inert(text)
    .trimEnd()
    .split('\n')
    .map((line) => `  ${mark} ${line}`)
