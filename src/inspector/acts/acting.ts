/**
 * Through whom the page acts: the orchestrator that the inspector was given, or the owner of the base directory that it
 * shows. The inspector never opens the store itself.
 */
import { describeError } from '../../events/errors/base.ts'
import { InspectorReadOnlyError } from '../../events/errors/inspector.ts'
import { OwnerNotFound } from '../../events/errors/owner.ts'
import type { InboxEntry } from '../../inbox/entry.ts'
import { userName } from '../../inbox/user-name.ts'
import type { Orchestrator } from '../../orchestrator.ts'
import { connectOwner } from '../../remote/client.ts'
import type { EventStore } from '../../store/event-store.ts'
import type { ChainedStore } from '../../store/level/chained-store.ts'

/** Why nothing can be done: what happened, and what to do about it. */
export interface ActingProblem {
  readonly message: string
  readonly hint: string
}

export interface Acting {
  /** Who acts, as the log names them. */
  readonly by: string
  readonly isReadOnly: boolean
  /** Why nothing can be done now; null if something can. */
  problem(): Promise<ActingProblem | null>
  inbox(): Promise<readonly InboxEntry[]>
  /** Works with an orchestrator that changes something. Throws OwnerNotFound, and what connecting can throw. */
  through<T>(work: (orchestrator: Orchestrator) => Promise<T>): Promise<T>
}

interface Shown {
  readonly store: EventStore
  readonly baseDir?: string | undefined
}

/** How the page acts on what is inspected. */
export function actingOn(inspected: Shown | Orchestrator, isReadOnly: boolean): Acting {
  const name = userName()
  const by = name === '' ? 'inspector' : `${name} (inspector)`
  const ways =
    'inbox' in inspected
      ? here(inspected)
      : inspected.baseDir === undefined
        ? NOWHERE
        : throughOwner(inspected.store, inspected.baseDir)
  const readOnly = { problem: async () => asProblem(new InspectorReadOnlyError({})), through: refuse }
  return { by, isReadOnly, ...ways, ...(isReadOnly && readOnly) }
}

type Ways = Pick<Acting, 'problem' | 'inbox' | 'through'>

const refuse = async () => {
  throw new InspectorReadOnlyError({})
}

const here = (orchestrator: Orchestrator): Ways => ({
  problem: async () => null,
  inbox: async () => orchestrator.inbox.list(),
  through: (work) => work(orchestrator),
})

/** A log without its base directory has no owner that could be asked. */
const NOWHERE: Ways = {
  problem: async () =>
    asProblem(new InspectorReadOnlyError({ because: 'it shows a log without its base directory' })),
  inbox: async () => [],
  through: refuse,
}

function throughOwner(store: EventStore, baseDir: string): Ways {
  return {
    async problem() {
      const client = await connectOwner(baseDir).catch((error: unknown) => error as Error)
      if (client === null) return asProblem(new OwnerNotFound({ path: baseDir }))
      if (client instanceof Error) return asProblem(client)
      client.close()
      return null
    },
    async inbox() {
      const client = await connectOwner(baseDir)
      if (client === null) return storedInbox(store, baseDir)
      try {
        return (await client.command(null, 'inbox.list', [])) as readonly InboxEntry[]
      } finally {
        client.close()
      }
    },
    async through(work) {
      const { Orchestrator } = await import('../../orchestrator.ts')
      await using orchestrator = await Orchestrator.connect(baseDir)
      return await work(orchestrator)
    },
  }
}

/** Without an owner, from the log alone. */
async function storedInbox(store: EventStore, baseDir: string): Promise<readonly InboxEntry[]> {
  const [{ Orchestrator }, { readingOrchestrator }] = await Promise.all([
    import('../../orchestrator.ts'),
    import('../../remote/orchestrator.ts'),
  ])
  // The store stays open.
  const kept = { ...(store as ChainedStore), async [Symbol.asyncDispose]() {} }
  await using reader = await readingOrchestrator(Orchestrator, baseDir, kept)
  return await reader.inbox.list()
}

function asProblem(error: Error): ActingProblem {
  const { message, hint } = describeError(error)
  return { message, hint }
}
