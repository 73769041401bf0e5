/** What an agent has changed of what was placed in its workspace, and how a person is told. */
import { plural } from '../../events/figures.ts'
import { type Directory, openChildIfThere } from './directory.ts'
import { isGitIndex, type Survey, type SurveyedEntry, walkTree } from './survey.ts'

/** One entry that is not as it was placed. */
export interface Change {
  readonly path: string
  readonly what: 'edited' | 'new' | 'deleted'
}

/** More are not looked for. */
const MOST_CHANGES = 1000

/**
 * Compares what is at the target now with what is expected there; null if nothing is there at all. Reads no more than
 * was placed, whatever the agent has added. Of a deleted directory, its files are named.
 */
export async function changesAt(
  workspace: Directory,
  target: string,
  expected: Survey,
): Promise<readonly Change[] | null> {
  const changes: Change[] = []
  const seen = new Set<string>()
  const entered = new Set<string>()
  await below(workspace, target.split('/'), (parent, name) =>
    walkTree(parent, name, target, async (entry) => {
      const { path, kind } = entry
      seen.add(path)
      if (changes.length >= MOST_CHANGES || NO_WORK.test(path)) return false
      const known = expected.get(path)
      if (known === undefined) {
        changes.push({ path, what: 'new' })
        // The names of branches, not their first part.
        return REFS.test(path)
      }
      if (kind === known.kind && (await isAsPlaced(entry, known))) {
        entered.add(path)
        return true
      }
      changes.push({ path, what: 'edited' })
      return false
    }),
  )
  if (seen.size === 0) return null
  // From the target down to the first that is missing: of a long path, no more is looked at.
  const isDeleted = (path: string) => {
    let above = target
    for (let end = target.length; end !== path.length; ) {
      const next = path.indexOf('/', end + 1)
      end = next === -1 ? path.length : next
      const step = path.slice(0, end)
      if (!seen.has(step)) return entered.has(above)
      above = step
    }
    return false
  }
  for (const [path, { kind }] of expected)
    if (kind !== 'directory' && path.startsWith(`${target}/`) && isDeleted(path))
      changes.push({ path, what: 'deleted' })
  return changes
}

/** What git writes about the last fetch, and nothing that an agent made. */
const NO_WORK = /(^|\/)\.git\/(FETCH_HEAD|index\.lock)$/
const REFS = /(^|\/)\.git\/refs\//

async function isAsPlaced(
  { path, bytes, digest }: { path: string; bytes: number; digest(): Promise<string> },
  known: SurveyedEntry,
): Promise<boolean> {
  if (bytes !== known.bytes && !isGitIndex(path)) return false
  return (await digest()) === known.sha256
}

async function below(
  workspace: Directory,
  steps: readonly string[],
  use: (parent: Directory, name: string) => Promise<void>,
): Promise<void> {
  const [step = '', ...rest] = steps
  if (rest.length === 0) return use(workspace, step)
  const child = await openChildIfThere(workspace, step)
  if (child === null) return
  await using directory = child
  await below(directory, rest, use)
}

const MOST_NAMES = 5

/**
 * The changes below a target in words.
 *
 * @example
 * describeChanges('proj', changes) // 'edited a.txt; new made.txt; git: branch feature, stash'
 */
export function describeChanges(target: string, changes: readonly Change[]): string {
  const named = (what: Change['what']) =>
    changes.filter((change) => change.what === what && !GIT.test(change.path)).map(({ path }) => path)
  const shown = (path: string) =>
    (path === target ? path : path.slice(target.length + 1)).replaceAll('\0', '')
  const groups = (['edited', 'new', 'deleted'] as const).flatMap((what) => {
    const paths = named(what).map(shown).sort()
    return paths.length === 0 ? [] : [`${what} ${listed(paths)}`]
  })
  const inGit = new Set(changes.flatMap(({ path }) => gitWords(GIT.exec(path)?.[1])))
  // Objects and logs belong to a change that has a name of its own.
  const words = [...inGit].filter((word) => word !== OBJECTS || inGit.size === 1)
  return [...groups, ...(words.length === 0 ? [] : [`git: ${listed(words)}`])].join('; ')
}

const GIT = /(?:^|\/)\.git\/(.+)$/
const OBJECTS = 'objects'

function gitWords(path: string | undefined): readonly string[] {
  if (path === undefined) return []
  const [, kind, name] = /^refs\/(heads|tags|remotes)\/(.+)$/.exec(path) ?? []
  if (name !== undefined) return [`${WORDS[kind as keyof typeof WORDS]} ${name.replaceAll('\0', '')}`]
  if (path === 'refs/stash') return ['stash']
  if (path === 'index') return ['staged changes']
  if (/^refs\b/.test(path) || path === 'packed-refs') return ['refs']
  if (/^(objects|logs)(\/|$)|^(COMMIT_EDITMSG|ORIG_HEAD)$/.test(path)) return [OBJECTS]
  return [path.replaceAll('\0', '')]
}

const WORDS = { heads: 'branch', tags: 'tag', remotes: 'remote branch' } as const

const listed = (names: readonly string[]) =>
  names.length <= MOST_NAMES
    ? names.join(', ')
    : `${names.slice(0, MOST_NAMES).join(', ')} and ${plural(names.length - MOST_NAMES, 'more', 'more')}`
