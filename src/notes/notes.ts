/**
 * The shared notes: texts that agents and people read and write, each an actor with its history. A write says which version it
 * has read, so that no writer undoes what another one has written meanwhile.
 */
import type { NoteReading } from '../actors/agent/mailbox/mailbox.ts'
import type { ActorEnvironment, Causation } from '../actors/engine/actor.ts'
import { Life } from '../actors/engine/life.ts'
import type { Recorded } from '../events/envelope.ts'
import { NoteConflictError, NoteNotFoundError } from '../events/errors/actor.ts'
import { InvalidIdError, InvalidInputError } from '../events/errors/usage.ts'
import { AGENT_ID_PATTERN, ID_RULE, type StreamName, streamName } from '../events/ids.ts'
import { defined } from '../events/json.ts'
import { nearestName } from '../events/nearest-name.ts'
import { checkArgument, type KnownKeys, refuseUnknownKeys } from '../events/options/decoding.ts'
import type { NoteFact } from './facts.ts'
import { noteKind } from './machine.ts'

/** A note, as it is or was. */
export interface Note {
  readonly note: string
  /** How often it had been written: 1 for its first text. */
  readonly version: number
  readonly text: string
  /** The agent that wrote it; null for a person, or a program. */
  readonly from: string | null
  /** Who wrote it, if a person did so by hand and was named. */
  readonly by: string | null
  /** When: ISO 8601 in UTC. */
  readonly at: string
}

/** A note in a list. */
export interface NoteInfo extends Pick<Note, 'note' | 'version' | 'from'> {
  /** The size of its text, in bytes of UTF-8. */
  readonly bytes: number
}

/** Options of `notes.write`. */
export interface NoteWriteOptions {
  /** The version that the new text follows: 0 for a note that is to be new. Default: whichever there is. */
  readonly expectedVersion?: number
  /** The agent that writes: the caller vouches for that. Default: a person, or the program. */
  readonly from?: string
  /** Who writes, if a person does so by hand; it is recorded in the log. */
  readonly by?: string
}

/** Options of `notes.read`. */
export interface NoteReadOptions {
  /** An earlier version. Default: the newest. */
  readonly version?: number
  /** The agent that reads it in its turn: its log says so. The caller vouches for that. */
  readonly reader?: string
}

export interface NotesEnvironment extends ActorEnvironment {
  /** The fact that led to what a writer does now, if it is an agent at work. Throws AgentNotFoundError. */
  readonly causeOf: (writer: string) => Promise<string | null>
  /** An agent has read a note in its turn. */
  readonly read: (agent: string, note: NoteReading) => Promise<void>
}

/** In bytes of UTF-8. */
export const LARGEST_NOTE = 64 * 1024
const MOST_NOTES = 1000

const STREAMS = `${noteKind.kind}/`

const WRITE_OPTIONS: KnownKeys<NoteWriteOptions> = { expectedVersion: true, from: true, by: true }
const READ_OPTIONS: KnownKeys<NoteReadOptions> = { version: true, reader: true }

export class Notes {
  readonly #environment: NotesEnvironment

  constructor(environment: NotesEnvironment) {
    this.#environment = environment
  }

  /** Throws NoteConflictError, InvalidIdError, InvalidInputError, AgentNotFoundError (for `from`). */
  async write(note: string, text: string, options: NoteWriteOptions = {}): Promise<Note> {
    const stream = streamOf(note)
    const { expectedVersion, from = null, by } = checkedWrite(text, options)
    const causationId = from === null ? null : await this.#environment.causeOf(from)
    await this.#checkRoom(stream)
    const origin: Causation = { correlationId: stream, causationId }
    // One that nothing has written for a while need not stay in memory.
    const life = await Life.load(noteKind, note, this.#environment)
    try {
      let isThere = false
      const [written] = await life.decide(({ context }) => {
        const { version } = life
        isThere = version === (expectedVersion ?? -2) + 1 && context.text === text && context.from === from
        if (isThere) return []
        if (expectedVersion !== undefined && expectedVersion !== version)
          throw new NoteConflictError({ note, expected: expectedVersion, actual: version })
        return [{ type: 'NoteWritten', data: { text, from, ...defined({ by }) } }]
      }, origin)
      return written ? noteIn(note, written) : await this.read(note)
    } finally {
      await life.close()
    }
  }

  /** Throws NoteNotFoundError, InvalidIdError, InvalidInputError. */
  async read(note: string, options: NoteReadOptions = {}): Promise<Note> {
    const stream = streamOf(note)
    refuseUnknownKeys(options, READ_OPTIONS, { what: 'The options of a note', noun: 'option' })
    const { version, reader } = options
    const { store, read } = this.#environment
    if (version !== undefined) checkVersion('version', version)
    // Its newest fact is the whole note.
    const range = version === undefined ? ({ direction: 'backwards' } as const) : { after: version - 1 }
    for await (const recorded of store.read(stream, range)) {
      if (version !== undefined && recorded.version !== version) break
      const found = noteIn(note, recorded)
      if (reader !== undefined) await read(reader, { note, version: recorded.version, cause: recorded.id })
      return found
    }
    throw await this.#notFound(note, version)
  }

  /** By name. */
  async list(): Promise<readonly NoteInfo[]> {
    const listed: NoteInfo[] = []
    for await (const { stream, version, summary } of this.#environment.store.streams({ prefix: STREAMS })) {
      const { from = null, bytes = 0 } = (summary?.info ?? {}) as Partial<NoteInfo>
      listed.push({ note: stream.slice(STREAMS.length), version, from, bytes })
    }
    return listed.sort((one, other) => (one.note < other.note ? -1 : 1))
  }

  /** Its versions, oldest first. Throws NoteNotFoundError. */
  async history(note: string): Promise<readonly Note[]> {
    const found: Note[] = []
    for await (const recorded of this.#environment.store.read(streamOf(note)))
      found.push(noteIn(note, recorded))
    if (found.length === 0) throw await this.#notFound(note)
    return found
  }

  /** Throws InvalidInputError if there are too many to make another one. */
  async #checkRoom(stream: string): Promise<void> {
    const { store } = this.#environment
    if ((await store.head(stream)) > 0) return
    let notes = 0
    for await (const _ of store.streams({ prefix: STREAMS })) notes += 1
    if (notes >= MOST_NOTES)
      throw new InvalidInputError({
        what: 'The note',
        problem: `there are ${MOST_NOTES} notes, which is the most`,
        hint: 'Write into one of those that there are.',
      })
  }

  async #notFound(note: string, version?: number): Promise<NoteNotFoundError> {
    const names = (await this.list()).map((one) => one.note)
    const isThere = names.includes(note)
    return new NoteNotFoundError({
      ...{ note, nearest: isThere ? null : nearestName(note, names) },
      version: isThere ? (version ?? null) : null,
    })
  }
}

function noteIn(note: string, recorded: Recorded): Note {
  const { version, at } = recorded
  const { data } = noteKind.facts.read(recorded) as NoteFact
  return { note, version, text: data.text, from: data.from, by: data.by ?? null, at }
}

/** Throws InvalidIdError. */
function streamOf(note: string): StreamName {
  if (typeof note === 'string' && AGENT_ID_PATTERN.test(note)) return streamName(noteKind.kind, note)
  throw new InvalidIdError({ what: 'note', id: String(note), rule: ID_RULE })
}

function checkVersion(what: string, version: number, least = 1): void {
  if (!Number.isSafeInteger(version) || version < least)
    throw new InvalidInputError({ what, problem: `${version} is not a whole number from ${least}` })
}

function checkedWrite(text: string, options: NoteWriteOptions): NoteWriteOptions {
  checkArgument('The note', text, 'a text')
  refuseUnknownKeys(options, WRITE_OPTIONS, { what: 'The options of a note', noun: 'option' })
  const { expectedVersion } = options
  if (expectedVersion !== undefined) checkVersion('expectedVersion', expectedVersion, 0)
  if (Buffer.byteLength(text) > LARGEST_NOTE)
    throw new InvalidInputError({
      what: 'The note',
      problem: `it is longer than ${LARGEST_NOTE} bytes`,
      hint: 'Write what matters, or divide it: what is long belongs in a file that the note names.',
    })
  return options
}
