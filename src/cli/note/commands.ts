/** `note`: the notes that agents and people share. */
import type { Command } from 'commander'
import { NoteNotFoundError } from '../../events/errors/actor.ts'
import { InvalidInputError } from '../../events/errors/usage.ts'
import { defined } from '../../events/json.ts'
import { userName } from '../../inbox/user-name.ts'
import type { Note } from '../../notes/notes.ts'
import { oneOrMore, zeroOrMore } from '../arguments.ts'
import { hasStore } from '../existing-store.ts'
import { type GlobalOptions, withGlobals } from '../global-options.ts'
import { readStore, type Session, withSession } from '../session.ts'
import { standardInput } from '../standard-input.ts'
import { list } from '../terminal/list.ts'
import { table } from '../terminal/table.ts'
import { cut, inert } from '../terminal/text.ts'

export function noteCommands(note: Command): void {
  note
    .command('write <name> <text>')
    .description('write a note as a whole; - reads it from stdin')
    .option('--expect <version>', 'write only over this version; 0 for a note that is to be new', zeroOrMore)
    .action(withGlobals(write))
  note
    .command('read <name>')
    .description('print a note')
    .option('--at <version>', 'an earlier version (default: the newest)', oneOrMore)
    .action(withGlobals(read))
  note.command('list').alias('ls').description('list notes').action(withGlobals(listNotes))
  note.command('history <name>').description('list the versions of a note').action(withGlobals(history))
}

interface WriteWords {
  readonly expect?: number
}

async function write(globals: GlobalOptions, name: string, given: string, words: WriteWords): Promise<void> {
  const text = given === '-' ? await standardInput() : given
  if (given === '-' && text === '')
    throw new InvalidInputError({ what: 'The note', problem: 'stdin is empty' })
  const work = async ({ orchestrator, terminal }: Session) => {
    const by = userName() || undefined
    const options = defined({ expectedVersion: words.expect, by })
    const written = await orchestrator.notes.write(name, text, options)
    if (terminal.json) terminal.value(withoutText(written))
    else terminal.line(`Note ${written.note} is at version ${written.version}.`)
  }
  return withSession(globals, work, 'change')
}

function read(
  globals: GlobalOptions,
  name: string,
  { at: version }: { readonly at?: number },
): Promise<void> {
  requireNotes(globals, name)
  return readStore(globals, async ({ orchestrator, terminal }) => {
    const note = await orchestrator.notes.read(name, defined({ version }))
    if (terminal.json) terminal.value(note)
    else terminal.line(inert(note.text))
  })
}

function listNotes(globals: GlobalOptions): Promise<void> {
  return readStore(globals, async ({ orchestrator, terminal }) => {
    const notes = await orchestrator.notes.list()
    const columns = [{ head: 'NOTE' }, { head: 'VERSION' }, { head: 'BYTES' }, { head: 'FROM' }]
    list(terminal, notes, 'No notes yet. Write one: claude-agents note write NAME "..."', () =>
      table(
        terminal,
        columns,
        notes.map(({ note, version, bytes, from }) => [
          ...[note, String(version), String(bytes), from ?? '-'],
        ]),
      ),
    )
  })
}

function history(globals: GlobalOptions, name: string): Promise<void> {
  requireNotes(globals, name)
  return readStore(globals, async ({ orchestrator, terminal }) => {
    const versions = await orchestrator.notes.history(name)
    const columns = [{ head: 'VERSION' }, { head: 'AT' }, { head: 'BY' }, { head: 'TEXT' }]
    list(terminal, versions, '', () =>
      table(
        terminal,
        columns,
        versions.map(({ version, at, from, by, text }) => [
          ...[String(version), at, from ?? inert(by ?? '-'), cut(inert(text.replaceAll(/\s+/g, ' ')), 80)],
        ]),
      ),
    )
  })
}

/** Throws NoteNotFoundError where there is no store to read. */
function requireNotes(globals: GlobalOptions, note: string): void {
  if (!hasStore(globals)) throw new NoteNotFoundError({ note, nearest: null })
}

const withoutText = ({ text: _, ...note }: Note) => note
