/** Parses and checks the URLs of repositories, and separates their credentials. */
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { InvalidInputError } from './errors/usage.ts'

export type RepoTransport = 'https' | 'http' | 'ssh' | 'git' | 'file'

export interface RepoLocation {
  readonly transport: RepoTransport
  /** Without credentials: passed to git, and safe to show. */
  readonly url: string
  readonly credentials: { readonly username: string; readonly password: string } | null
}

export interface RepoUrlOptions {
  /** Whether paths on this machine are accepted. Only a program can allow it, never a URL. */
  readonly allowLocalRepos?: boolean
}

const HOST = String.raw`(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9][\w.-]*)`
const USER = String.raw`[A-Za-z0-9_][\w.+-]*`
const WITH_HOST = new RegExp(`^(?:(${USER})@)?(${HOST})(?::(\\d{1,5}))?(/.+)$`)
/** `git@host:path`. The path cannot begin with anything that git or ssh could take for an option or another transport. */
const SCP_LIKE = new RegExp(`^(${USER})@(${HOST}):(?![-:])(.+)$`)
const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/

const URL_HINT = 'Use https://, ssh:// or git@host:path.'

/** Throws {@link InvalidInputError}, whose message never repeats the URL: it may contain a password. */
export function checkRepoUrl(url: unknown, what: string, options: RepoUrlOptions = {}): RepoLocation {
  const refuse = (problem: string, hint = URL_HINT) => new InvalidInputError({ what, problem, hint })
  if (typeof url !== 'string' || url.trim() === '') throw refuse('it is empty')
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it refuses them
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

/** A URL without a scheme is `git@host:path`, or a path on this machine. */
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

/** The name of a repository: the last part of its path, without `.git`. */
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
