/** A shared note's whole life as one pure state machine. Its version is the number of its facts, each of which is a text. */
import { type SnapshotFrom, setup } from 'xstate'
import { defineKind, type Effect } from '../actors/engine/definition.ts'
import type { Identified } from '../events/envelope.ts'
import { type NoteFact, noteFacts } from './facts.ts'

interface NoteContext {
  readonly text: string
  readonly from: string | null
}

const note = setup({ types: {} as { context: NoteContext; events: Identified<NoteFact> } })

const fold = note.assign(({ event: { data } }) => ({ text: data.text, from: data.from }))

export const noteMachine = note.createMachine({
  id: 'notes',
  context: { text: '', from: null },
  initial: 'absent',
  states: {
    absent: { on: { NoteWritten: { target: 'written', actions: fold } } },
    written: { on: { NoteWritten: { actions: fold } } },
  },
})

/** A state of a shared note. */
export type NoteSnapshot = SnapshotFrom<typeof noteMachine>

export const noteKind = defineKind<typeof noteMachine, Effect>('notes', noteMachine, {
  facts: noteFacts,
  effects: () => [],
  summarize: ({ value, context: { text, from } }) => ({
    status: value,
    open: false,
    info: { from, bytes: Buffer.byteLength(text) },
  }),
})
