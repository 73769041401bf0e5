/**
 * Merges what an agent's work is to land on into its branch and its files, where it can fix what conflicts. Each step can be
 * repeated after a crash.
 */
import { WorkspaceError } from '../../events/errors/workspace.ts'
import type { SavedFiles } from './file-history.ts'
import { commitTree, mergeTrees, mergingRepository } from './merge.ts'
import type { OpenHistories } from './open-histories.ts'
import type { RepositoryPlace } from './place.ts'
import { advanceBranch, commitAt, headOf, isAncestor } from './worktree.ts'

export interface Merging {
  readonly name: string
  readonly isFree: () => boolean
  readonly before?: string | undefined
}

export interface MergedIn {
  /** The paths in which both versions are marked. */
  readonly conflicts: readonly string[]
  /** How the files were changed for it. */
  readonly restored: { readonly from: string; readonly to: string } & SavedFiles
}

/** *Contract:* it is the turn of these files, and no process works on them. */
export async function mergeIn(
  open: OpenHistories,
  place: RepositoryPlace,
  commit: string,
  { name, before: begins }: Omit<Merging, 'isFree'>,
): Promise<MergedIn> {
  const { agent, workspace, directories } = place
  const { branch, commit: base } = workspace
  const directory = directories.workspace
  const by = open.by(agent)
  const history = await open.historyOf(place)
  const ours = open.snapshotsIn(directories)
  const repository = await open.repositoryOf(workspace)
  const merging = await mergingRepository(ours, repository)
  const ref = `refs/landing/${name}`
  const begun = await ours.refAt(ref)
  let tip = await headOf({ repository, directory, branch })
  // If it was begun at this tip, a crash has come between: what that has left of the files is not the agent's work.
  const isBegun = begun !== null && (await commitAt(ours.path, `${ref}^1`)) === tip
  if (!isBegun) {
    const isMerged = begun !== null && tip !== null && (await isAncestor(merging.path, begun, tip))
    const saved =
      begins === undefined || isMerged
        ? await history.save(`before ${name}`, by)
        : (await history.restore(begins, `before ${name}`, by)).after
    tip = (await open.committed(place, history, saved))?.tip ?? null
    if (tip !== null && (await isAncestor(merging.path, commit, tip))) {
      const conflicts = isMerged
        ? (await mergeTrees(merging, `${begun}^1`, `${begun}^2`, by.at)).conflicts
        : []
      return { conflicts, restored: { from: saved.commit, to: saved.commit, ...saved } }
    }
  }
  if (tip === null)
    throw new WorkspaceError({ path: directory, problem: `the agent has left the branch ${branch}` })
  const { tree, conflicts } = await mergeTrees(merging, tip, commit, by.at)
  let merged = isBegun ? begun : null
  if (merged === null) {
    const message = `Merge what ${branch} is to land on\n\nAgent: ${agent}\nTask: ${name}\n`
    merged = await commitTree(merging, tree, [tip, commit], { message, by })
    await ours.keep(ref, merged, base, { common: merging.path })
  }
  // The files first: without the commit, they are at worst committed as the agent's work.
  const { before: from, after } = await history.restore(merged, `for ${name}`, by)
  await advanceBranch(
    { repository, directory, branch },
    { from: merging.path, commit: merged, parent: tip, known: [commit] },
  )
  return { conflicts, restored: { from: from.commit, to: merged, ...after } }
}
