/** The addresses of repositories: which are taken, in what form git gets them, and their credentials kept apart. */
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { InvalidInputError } from './errors/usage.ts'

export type RepoTransport = 'https' | 'http' | 'ssh' | 'git' | 'file'

export interface RepoLocation {
  readonly transport: RepoTransport
  /** What git is given, and what may be shown: without credentials. */
  readonly url: string
  readonly credentials: { readonly username: string; readonly password: string } | null
}

export interface RepoUrlOptions {
  /** Whether a path of this machine is taken too. Only a program can say so, never a URL by itself. */
  readonly allowLocalRepos?: boolean
}

const HOST = String.raw`(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9][\w.-]*)`
const USER = String.raw`[A-Za-z0-9_][\w.+-]*`
const WITH_HOST = new RegExp(`^(?:(${USER})@)?(${HOST})(?::(\\d{1,5}))?(/.+)$`)
/** `git@host:path`. The path does not begin with what git or ssh could take for an option or another transport. */
const SCP_LIKE = new RegExp(`^(${USER})@(${HOST}):(?![-:])(.+)$`)
const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/

const WAYS = 'Use https://, ssh:// or git@host:path.'

/** Reads an address, or throws {@link InvalidInputError}, which never repeats it: it may hold a password. */
export function checkRepoUrl(url: unknown, what: string, options: RepoUrlOptions = {}): RepoLocation {
  const refuse = (problem: string, hint = WAYS) => new InvalidInputError({ what, problem, hint })
  if (typeof url !== 'string' || url.trim() === '') throw refuse('it is empty')
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
  if (/[\u0000-\u0020\u007f"'`\\<>]/.test(url))
    throw refuse('it contains a character that is not allowed in URLs')
  if (/%(?:[01][0-9a-f]|7f)/i.test(url)) throw refuse('it contains a control character')
  if (url.startsWith('-')) throw refuse('git would read it as an option')
  const helper = /^([\w+.-]*)::/.exec(url)
  if (helper) throw refuse(`${helper[1]}:: would start a program`)

  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(url)
  if (scheme?.[1] === undefined) return checkPlain(url, options, refuse)
  const rest = url.slice(scheme[0].length)
  switch (scheme[1].toLowerCase()) {
    case 'https':
    case 'http':
      return checkHttp(url, refuse)
    case 'ssh':
      return checkWithHost('ssh', rest, refuse)
    case 'git':
      return checkWithHost('git', rest, refuse)
    case 'file':
      return checkFileUrl(url, options, refuse)
    default:
      throw refuse(`${scheme[1]}:// is not a supported way to fetch a repository`)
  }
}

type Refuse = (problem: string, hint?: string) => InvalidInputError

function checkHttp(url: string, refuse: Refuse): RepoLocation {
  if (!URL.canParse(url)) throw refuse('it is not a URL')
  const parsed = new URL(url)
  const transport = parsed.protocol === 'https:' ? 'https' : 'http'
  if (transport === 'http' && !LOOPBACK.test(parsed.hostname)) {
    throw refuse('over http, anyone on the network can read and change the repository', 'Use https://.')
  }
  if (parsed.hostname.startsWith('-')) throw refuse('its host name begins with -')
  if (parsed.search !== '' || parsed.hash !== '') {
    throw refuse('it contains a ? or #, which no repository needs', 'Name a branch, tag or commit by ref.')
  }
  if (parsed.pathname === '/') throw refuse('it names a host, not a repository')
  const credentials = readCredentials(parsed, refuse)
  parsed.username = ''
  parsed.password = ''
  return { transport, url: parsed.href, credentials }
}

function readCredentials({ username, password }: URL, refuse: Refuse): RepoLocation['credentials'] {
  if (username === '' && password === '') return null
  try {
    return { username: decodeURIComponent(username), password: decodeURIComponent(password) }
  } catch {
    throw refuse('its credentials are not correctly percent-encoded')
  }
}

function checkWithHost(transport: 'ssh' | 'git', rest: string, refuse: Refuse): RepoLocation {
  const authority = rest.split('/', 1)[0] ?? ''
  const isSecret = authority.slice(0, Math.max(0, authority.lastIndexOf('@'))).includes(':')
  if (isSecret || (transport === 'git' && authority.includes('@'))) {
    throw refuse(
      `${transport}:// takes no password`,
      'Use a key in the ssh agent, or an https URL with a token.',
    )
  }
  const parts = WITH_HOST.exec(rest)
  if (!parts) throw refuse('its host or path is not valid')
  return { transport, url: `${transport}://${rest}`, credentials: null }
}

function checkFileUrl(url: string, options: RepoUrlOptions, refuse: Refuse): RepoLocation {
  if (!options.allowLocalRepos) throw refuseLocal(refuse)
  if (!/^file:\/\/\//i.test(url)) throw refuse('a file:// URL must not name a host')
  return { transport: 'file', url: fileURLToPath(url), credentials: null }
}

/** Without a scheme it is `git@host:path`, or a path of this machine. */
function checkPlain(url: string, options: RepoUrlOptions, refuse: Refuse): RepoLocation {
  if (SCP_LIKE.test(url)) return { transport: 'ssh', url, credentials: null }
  if (/^\w[\w.-]*\/[\w.-]+$/.test(url) && !options.allowLocalRepos) {
    throw refuse('it is not a URL', `Did you mean https://github.com/${url}?`)
  }
  const isPath = /^\.{0,2}\//.test(url)
  if (!isPath) throw refuse('it is not a URL')
  if (!options.allowLocalRepos) throw refuseLocal(refuse)
  return { transport: 'file', url: resolve(url), credentials: null }
}

const refuseLocal = (refuse: Refuse) =>
  refuse(
    'repositories on this machine are not cloned, because a URL could then read what the task may not',
    'A program can allow it (allowLocalRepos: true); or pass it as a folder.',
  )

/** What the repository is called: the last part of its path, without `.git`. */
export function repoName(location: RepoLocation): string {
  const last = location.url.split(/[/:]/).findLast((part) => part !== '') ?? ''
  return decodeName(last).replace(/\.git$/i, '')
}

function decodeName(name: string): string {
  try {
    return decodeURIComponent(name)
  } catch {
    return name
  }
}
