/** What a list command prints: JSON lines for programs, lines for people, or a note when there is nothing to list. */
import type { Terminal } from './output.ts'

/** @param none What to say instead of an empty list, with the command that makes the first item. */
export function list<Item>(
  terminal: Terminal,
  items: readonly Item[],
  none: string,
  lines: (items: readonly Item[]) => readonly string[],
): void {
  if (terminal.json) for (const item of items) terminal.value(item)
  else if (items.length === 0) terminal.note(none)
  else for (const line of lines(items)) terminal.line(line)
}
