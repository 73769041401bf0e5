/** The material of a task as data: what is asked for, and what was placed in the workspace. */
import * as Schema from 'effect/Schema'

/** A file to copy into the workspace. */
export const FileMapping = Schema.Struct({
  /** Where it is. A relative path starts at the directory where the task is given. */
  source: Schema.String,
  /** Where it goes: relative to the workspace, with `/`. The name of the source unless told. */
  target: Schema.optionalKey(Schema.String),
})
export type FileMapping = typeof FileMapping.Type

/** A folder to copy into the workspace, with all that is in it except links. */
export const FolderMapping = FileMapping
export type FolderMapping = FileMapping

/** A git repository, from GitHub or elsewhere, to clone into the workspace. */
export const GitHubRepo = Schema.Struct({
  /** https, ssh or git, or `git@host:path`. */
  url: Schema.String,
  /** A branch, a tag, or a commit by its whole hash. The default branch unless told. */
  ref: Schema.optionalKey(Schema.String),
  /** Where it goes. The last part of the URL, without `.git`, unless told. */
  target: Schema.optionalKey(Schema.String),
})
export type GitHubRepo = typeof GitHubRepo.Type

/** All the material of one task. */
export const Material = Schema.Struct({
  files: Schema.optionalKey(Schema.Array(FileMapping)),
  folders: Schema.optionalKey(Schema.Array(FolderMapping)),
  repos: Schema.optionalKey(Schema.Array(GitHubRepo)),
})
export type Material = typeof Material.Type

export const hasMaterial = ({ files = [], folders = [], repos = [] }: Material): boolean =>
  files.length + folders.length + repos.length > 0

const Count = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

/** What lies in the workspace now, because a task brought it along. */
export const PlacedInput = Schema.Struct({
  kind: Schema.Literals(['file', 'folder', 'repo']),
  /** The path it came from; of a repository the URL, without credentials. */
  source: Schema.String,
  target: Schema.String,
  /** Of a file's content; of a folder or a working tree, over its sorted paths, their contents and their modes. */
  sha256: Schema.String,
  /** The commit that was checked out. */
  commit: Schema.NullOr(Schema.String),
  /** What git keeps for itself is not counted in these two. */
  files: Count,
  bytes: Count,
  /** Links, sockets, pipes, devices, and what had gone before it could be read: they were left out. */
  skipped: Count,
})
export type PlacedInput = typeof PlacedInput.Type
