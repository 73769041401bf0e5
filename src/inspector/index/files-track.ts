/** What the index keeps of an agent's files: its turns, as `agent diff --turn` counts them, and where it began. */
import { type AgentFact, NO_FILES } from '../../events/agent-facts.ts'
import type { Recorded } from '../../events/envelope.ts'
import { counts } from './columns.ts'

type Data<Type extends AgentFact['type']> = Partial<Extract<AgentFact, { type: Type }>['data']>

export class FilesTrack {
  /** The positions of the answers that ended a turn. */
  readonly turns = counts()
  /** The positions of those of which something was saved, and of all that brought files back. */
  readonly changes = counts()
  readonly #began: { readonly position: number; readonly commit: string }[] = []
  /** Whether it is known what the call began from. */
  #hasBefore = false
  /** Whether there are snapshots. */
  #isSaved = false
  #isBegun = false
  #isStored = false

  /** Whether a worker of a cluster has left them for other machines. */
  get isStored(): boolean {
    return this.#isStored
  }

  add({ type, data, position }: Recorded): void {
    if (type === 'AgentCreated') {
      // Another agent may have had the id before.
      this.#hasBefore = this.#isSaved = this.#isBegun = this.#isStored = false
      this.#begin(position, (data as Data<typeof type>).config?.workspace?.commit)
    }
    if (type === 'CallStarted') {
      this.#hasBefore = (data as Data<typeof type>).empty === true
      if (this.#hasBefore) this.#begin(position, NO_FILES)
    }
    if (type === 'AgentStored') this.#isStored = true
    if (type === 'FilesSaved' || type === 'FilesRestored') this.#isSaved = true
    if (type === 'FilesSaved') {
      const { when, commit } = data as Data<typeof type>
      this.#hasBefore ||= when === 'before'
      if (when === 'before') this.#begin(position, commit)
    }
    if (type === 'FilesRestored') {
      const { because, commit } = data as Data<typeof type>
      if (because === 'fork') this.#begin(position, commit)
      this.changes.push(position)
    }
    if (type === 'CallSucceeded' && this.#hasBefore) {
      this.turns.push(position)
      if (this.#isSaved) this.changes.push(position)
    }
  }

  /** Where the agent began, as far as that is known at a position. */
  beganAt(position: number): string {
    return this.#began.findLast((begun) => begun.position <= position)?.commit ?? NO_FILES
  }

  #begin(position: number, commit: string | undefined): void {
    if (this.#isBegun || commit === undefined) return
    this.#isBegun = true
    this.#began.push({ position, commit })
  }
}
