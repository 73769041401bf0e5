/** The offers to branch off: an agent after one of its turns, a run at one of its steps. Nothing is asked by that. */
import type { LogIndex } from '../index/index.ts'
import type { OfferView } from './view.ts'

/** An agent that continues the conversation of another from a version. */
export function forkOfAgent(index: LogIndex, agent: string, version: number): OfferView {
  return {
    ...{ action: 'fork', label: 'Fork the agent', effect: 'plain' },
    says: `A new agent continues the conversation after this answer, with the files of then. ${agent} is unchanged.`,
    about: { agent, at: String(version) },
    fields: [named('Name of the new agent', freeId(index, 'agent', agent))],
  }
}

/** A run that has the answers before a step, and waits to be resumed. */
export function forkOfRun(index: LogIndex, run: string, step: string): OfferView {
  return {
    ...{ action: 'fork', label: 'Fork the run', effect: 'plain' },
    says: 'A new run has the answers before this step, and asks this one and those after it once it is resumed. This run is unchanged.',
    about: { run, at: step },
    fields: [named('Name of the new run', freeId(index, 'run', run))],
  }
}

const named = (label: string, value: string) =>
  ({ name: 'as', label, kind: 'line', value, required: true }) as const

/** In characters; the number makes it longer. */
const LONGEST_STEM = 70

/** The first that is free of `writer-2`, `writer-3` and so on. */
function freeId(index: LogIndex, kind: string, id: string): string {
  const stem = id.replace(/-\d+$/, '').slice(0, LONGEST_STEM)
  for (let number = 2; ; number++) {
    const free = `${stem}-${number}`
    if (!index.track(`${kind}/${free}`)) return free
  }
}
