/** What is in the store for another machine to continue an agent, as its state knows it. */
import type { AgentFact } from '../../../events/agent-facts.ts'
import { defined } from '../../../events/json.ts'
import type { Brought, Home, StoredFiles, StoredText } from '../../../events/options/moving.ts'

/** Where an agent lives, and what of it is in the store. */
export interface StoredState {
  readonly home: Home
  /** Absent if its files are not there. */
  readonly files?: StoredFiles
  readonly sessions?: readonly StoredText[]
  readonly notes?: readonly StoredText[]
  /** Its files were brought back to other ones since: these are not there. */
  readonly isBehind?: true
  /** How it came to where it lives. Absent if it has always lived there. */
  readonly moved?: Move
}

/** From which worker an agent came, and what came along. */
export interface Move {
  readonly from: string
  readonly to: string
  readonly workspace: Brought
  readonly session: Brought
  readonly problems?: readonly string[]
}

type DataOf<T extends AgentFact['type']> = Extract<AgentFact, { type: T }>['data']

interface Before<Files = unknown> {
  readonly stored?: StoredState | undefined
  readonly files?: Files | undefined
  readonly session: string | null
  readonly lostSession: string | null
}

export function storedAt(
  { stored }: Pick<Before, 'stored'>,
  { home, files, sessions, notes }: DataOf<'AgentStored'>,
): { readonly stored: StoredState } {
  const { files: before, isBehind, ...rest } = stored ?? { home }
  const now = files === undefined ? before : (files ?? undefined)
  const left = files === undefined ? isBehind : undefined
  return { stored: { ...rest, home, ...defined({ files: now, sessions, notes, isBehind: left }) } }
}

/** What a call that did not end well had changed is nothing that was stored. */
export const behindAt = (
  { stored }: Pick<Before, 'stored'>,
  { because }: DataOf<'FilesRestored'>,
): { readonly stored?: StoredState } =>
  stored?.files && because !== 'call' ? { stored: { ...stored, isBehind: true } } : {}

/** What was brought is what its next call begins from. */
export function movedTo<Files extends { readonly commit: string }>(
  { stored, files, session, lostSession }: Before<Files>,
  { from, to, workspace, session: outcome, problems }: DataOf<'AgentMoved'>,
) {
  const moved: Move = {
    ...{ from: from.worker, to: to.worker, workspace, session: outcome },
    ...defined({ problems }),
  }
  const { files: storedFiles, isBehind, ...rest } = stored ?? { home: to }
  const commit = storedFiles?.commit ?? files?.commit
  const known = files && commit !== undefined
  return {
    stored: {
      ...rest,
      ...(workspace !== 'lost' && defined({ files: storedFiles, isBehind })),
      home: to,
      moved,
    },
    ...(known && workspace === 'restored' && { files: { ...files, commit } }),
    ...(known && workspace === 'lost' && { files: { commit: files.commit, lost: true as const } }),
    lostSession: outcome === 'lost' ? session : lostSession,
  }
}

/** Part of the fold: a change of it is another machine. */
export const MOVING_FOLD = { storedAt, behindAt, movedTo }
