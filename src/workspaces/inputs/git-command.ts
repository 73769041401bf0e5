/** Calls git so that nothing but git itself runs: its arguments and its complete environment, as data. */

import type { RepoLocation } from '../../events/repo-url.ts'
import { absoluteEntries, HOME_MARKER } from '../directories.ts'

/** Our own environment, or a test's substitute. */
export type Inherited = Readonly<Record<string, string | undefined>>

const USERNAME = 'CLONE_USERNAME'
const PASSWORD = 'CLONE_PASSWORD'

/** No configuration file is read; these override what a repository or a server could suggest. */
const SETTINGS = [
  ...['protocol.ext.allow=never', 'protocol.fd.allow=never'],
  // A link in a repository becomes a file that contains the link's target.
  ...['core.symlinks=false', 'core.protectNTFS=true', 'core.protectHFS=true'],
  ...['core.hooksPath=/dev/null', 'core.fsmonitor=false', 'core.attributesFile=/dev/null'],
  ...['core.excludesFile=/dev/null', 'core.askPass=', 'core.pager=cat'],
  ...['submodule.recurse=false', 'fetch.recurseSubmodules=false', 'transfer.bundleURI=false'],
  // The working tree as committed, on every platform.
  ...['core.autocrlf=false', 'core.eol=lf', 'advice.detachedHead=false', 'init.defaultBranch=main'],
  // Nothing runs in the background, and memory stays bounded.
  ...['gc.auto=0', 'maintenance.auto=false', 'core.bigFileThreshold=8m', 'core.deltaBaseCacheLimit=16m'],
  // An empty helper clears the list.
  'credential.helper=',
]

/** Settings first, then the command; anything from outside comes after `--`. */
export function gitArguments(location: RepoLocation, command: readonly string[]): string[] {
  return [...[...SETTINGS, ...loginSettings(location)].flatMap((setting) => ['-c', setting]), ...command]
}

/**
 * Credentials are in neither the arguments, which every user of the machine can read, nor the URL, which git repeats
 * in messages and files. Git asks a helper of ours, and only for the host they belong to.
 */
function loginSettings({ url, credentials }: RepoLocation): string[] {
  if (!credentials) return []
  const helper = `!f() { test "$1" = get && printf 'username=%s\\npassword=%s\\n' "$${USERNAME}" "$${PASSWORD}"; }; f`
  return [`credential.${new URL(url).origin}.helper=${helper}`]
}

export const cloneArguments = (location: RepoLocation, ref: string | undefined, into: string): string[] =>
  gitArguments(location, [
    ...['clone', '--quiet', '--no-checkout', '--depth', '1', '--single-branch', '--no-tags'],
    // From a local path too, fetch only what was asked for, and do not hard-link its files.
    ...['--no-local', '--no-recurse-submodules', '--template='],
    ...(ref === undefined ? [] : [`--branch=${ref}`]),
    ...['--', location.url, into],
  ])

/** A clone cannot start from a commit hash. */
export const initArguments = (location: RepoLocation, commit: string, into: string): string[] =>
  gitArguments(location, [
    ...['init', '--quiet', '--template='],
    ...(commit.length === 64 ? ['--object-format=sha256'] : []),
    ...['--', into],
  ])

export const fetchArguments = (location: RepoLocation, commit: string, into: string): string[] =>
  gitArguments(location, [
    ...repositoryAt(into),
    ...['fetch', '--quiet', '--depth', '1', '--no-tags', '--no-recurse-submodules', '--no-write-fetch-head'],
    ...['--', location.url, commit],
  ])

/** A command in the clone. The paths are explicit, so that git does not search for an enclosing repository. */
export const inClone = (location: RepoLocation, into: string, command: readonly string[]): string[] =>
  gitArguments(location, [...repositoryAt(into), ...command])

const repositoryAt = (path: string) => [`--git-dir=${path}/.git`, `--work-tree=${path}`]

const ORDINARY = ['TMPDIR', 'USER', 'LOGNAME']
const NETWORK = [
  ...['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY', 'NO_PROXY'],
  ...['http_proxy', 'https_proxy', 'all_proxy', 'no_proxy'],
  ...['SSL_CERT_FILE', 'SSL_CERT_DIR', 'GIT_SSL_CAINFO'],
]

/** Never prompts, accepts no unknown host, and leaves no connection open. */
const SSH = [
  ...['ssh', '-oBatchMode=yes', '-oStrictHostKeyChecking=yes', '-oPermitLocalCommand=no'],
  ...['-oClearAllForwardings=yes', '-oForwardAgent=no', '-oControlMaster=no', '-oControlPath=none'],
].join(' ')

/** What git is told wherever we call it: no configuration of the user or the system counts, and nothing is asked. */
export const UNCONFIGURED: Readonly<Record<string, string>> = {
  LC_ALL: 'C',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_SYSTEM: '/dev/null',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_ATTR_NOSYSTEM: '1',
  GIT_TERMINAL_PROMPT: '0',
  GIT_OPTIONAL_LOCKS: '0',
}

const FIXED: Readonly<Record<string, string>> = {
  ...UNCONFIGURED,
  GIT_ASKPASS: '',
  SSH_ASKPASS: '',
  GIT_SSH_COMMAND: SSH,
  GIT_SSH_VARIANT: 'ssh',
  GIT_LFS_SKIP_SMUDGE: '1',
}

/** Nothing else is inherited. The user's own HOME is passed only for ssh, which keeps keys and known hosts there. */
export function gitEnvironment(
  { transport, credentials }: RepoLocation,
  { inherited, home, directory }: { inherited: Inherited; home: string; directory: string },
): Record<string, string> {
  const names = [...ORDINARY, ...NETWORK, ...(transport === 'ssh' ? ['HOME', 'SSH_AUTH_SOCK'] : [])]
  const taken = names.flatMap((name) => {
    const value = inherited[name]
    return value === undefined ? [] : [[name, value] as const]
  })
  return {
    HOME: directory,
    PATH: absoluteEntries(inherited.PATH ?? ''),
    ...Object.fromEntries(taken),
    ...FIXED,
    GIT_ALLOW_PROTOCOL: transport,
    GIT_CEILING_DIRECTORIES: directory,
    // Lets the next owner find and kill what a killed owner left running.
    [HOME_MARKER]: home,
    ...(credentials && { [USERNAME]: credentials.username, [PASSWORD]: credentials.password }),
  }
}
