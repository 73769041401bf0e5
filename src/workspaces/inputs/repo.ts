/** Clones a repository, then copies it into the staging directory without anything that git would execute. */
import { checkRepoUrl } from '../../events/repo-url.ts'
import type { CheckedRepo, PlacedInput } from '../../events/task-input.ts'
import { type Clone, type CloneRequest, cloneRepo } from './clone.ts'
import { type Directory, makeChild, openChild } from './directory.ts'
import { type CopyContext, writeNewFile } from './file-copy.ts'
import { about } from './file-problems.ts'
import { copyFolder, treeDigest, treeSize } from './folder-copy.ts'
import { removeEntry } from './removal.ts'

export type RepoContext = Pick<CloneRequest, 'home' | 'inherited' | 'clock'>

export async function stageRepo(
  { url, ref, target }: CheckedRepo,
  staging: Directory,
  name: string,
  copyContext: CopyContext,
  repoContext: RepoContext,
): Promise<PlacedInput> {
  // Whether local paths may be cloned was decided when the input was checked.
  const location = checkRepoUrl(url, 'The URL', { allowLocalRepos: true })
  const clone = `${name}-clone`
  return about(location.url, async () => {
    const request = { ...repoContext, location, ref, directory: staging.path, name: clone }
    const { commit, branch } = await cloneRepo({
      ...request,
      allowance: copyContext.allowance,
      signal: copyContext.signal,
    })
    await using from = await openChild(staging, clone)
    await using into = await makeChild(staging, name)
    const { entries, ...leftOut } = await copyFolder(from, into, copyContext, isKept)
    await using settings = await openChild(into, '.git')
    await writeNewFile(settings, 'config', cleanSettings(location.url, { commit, branch }))
    await removeEntry(staging, clone)
    const tree = entries.filter(({ path }) => path !== '.git' && !path.startsWith('.git/'))
    return {
      kind: 'repo',
      source: location.url,
      target,
      sha256: treeDigest(tree),
      commit,
      ...treeSize(tree),
      ...leftOut,
    }
  })
}

/** Of git's files, only objects and refs: no hooks, settings, alternates, or logs with URLs. */
const KEPT =
  /^\.git$|^\.git\/(HEAD|index|packed-refs|shallow|refs(\/.*)?|objects|objects\/(pack|[0-9a-f]{2})(\/.*)?)$/

const isKept = (path: string) => (path === '.git' || path.startsWith('.git/') ? KEPT.test(path) : true)

/** The settings git needs to work in it, written from scratch so that none can name a program. */
function cleanSettings(url: string, { commit, branch }: Clone): string {
  const isSha256 = commit.length === 64
  return [
    '[core]',
    `\trepositoryformatversion = ${isSha256 ? 1 : 0}`,
    ...['\tfilemode = true', '\tbare = false', '\tsymlinks = false', '\tlogallrefupdates = true'],
    ...(isSha256 ? ['[extensions]', '\tobjectformat = sha256'] : []),
    '[remote "origin"]',
    `\turl = ${quoted(url)}`,
    ...(branch === null
      ? []
      : [
          `\tfetch = ${quoted(`+refs/heads/${branch}:refs/remotes/origin/${branch}`)}`,
          `[branch ${quoted(branch)}]`,
          ...['\tremote = origin', `\tmerge = ${quoted(`refs/heads/${branch}`)}`],
        ]),
    '',
  ].join('\n')
}

const quoted = (text: string) => `"${text.replace(/["\\]/g, '\\$&')}"`
