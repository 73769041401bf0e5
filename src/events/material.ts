/** The material of a task as data: what to bring into the workspace, and what was placed there. */
import * as Schema from 'effect/Schema'

/** A file to copy into the workspace. */
export const FileMapping = Schema.Struct({
  /** The path of the source. A relative path is resolved against the working directory. */
  source: Schema.String,
  /** Where it goes: relative to the workspace, with `/`. Default: the name of the source. */
  target: Schema.optionalKey(Schema.String),
})
export type FileMapping = typeof FileMapping.Type

/** A folder to copy into the workspace, with everything in it except links. */
export const FolderMapping = FileMapping
export type FolderMapping = FileMapping

/** A git repository to clone into the workspace, from GitHub or elsewhere. */
export const GitHubRepo = Schema.Struct({
  /** https, ssh or git, or `git@host:path`. */
  url: Schema.String,
  /** A branch, a tag, or the full hash of a commit. Default: the default branch. */
  ref: Schema.optionalKey(Schema.String),
  /** Where it goes. Default: the last part of the URL, without `.git`. */
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

/** An input of a task that was placed in the workspace. */
export const PlacedInput = Schema.Struct({
  kind: Schema.Literals(['file', 'folder', 'repo']),
  /** The path it came from; for a repository the URL, without credentials. */
  source: Schema.String,
  target: Schema.String,
  /** The hash of a file's content; for a folder or a working tree, over its sorted paths, their contents and modes. */
  sha256: Schema.String,
  /** The commit that was checked out. */
  commit: Schema.NullOr(Schema.String),
  /** `files` and `bytes` leave out the `.git` directory. */
  files: Count,
  bytes: Count,
  /** How many entries were left out: links, sockets, pipes, devices, and files that vanished before they could be read. */
  skipped: Count,
})
export type PlacedInput = typeof PlacedInput.Type
