/** Maps git's messages to problems: a table, and the typed error that results. */

import { CloneError, type CloneProblem } from '../../events/errors/workspace.ts'
import { defined } from '../../events/json.ts'
import type { RepoLocation } from '../../events/repo-url.ts'
import { oneLine, redactor } from '../../events/secrets/redaction.ts'
import type { GitOutcome } from './git-process.ts'

/**
 * First match wins: what many failures end with ("the remote end hung up") comes last. Gaps are bounded, since a server
 * can make git print anything.
 */
export const CLONE_FAILURES: readonly (readonly [pattern: RegExp, problem: CloneProblem])[] = [
  [
    /Remote branch .{0,1000} not found|couldn't find remote ref|not our ref|unadvertised object/i,
    'ref-not-found',
  ],
  [/Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED/i, 'unknown-host-key'],
  [/Authentication failed|could not read (Username|Password)|terminal prompts disabled/i, 'refused'],
  [
    /Permission denied \(|Permission to .{0,1000} denied|returned error: 40[13]|dubious ownership/i,
    'refused',
  ],
  [/repository .{0,1000} not found|returned error: 404|does not exist|Repository not found/i, 'not-found'],
  [/does not appear to be a git repository|not valid: is this a git repository/i, 'not-found'],
  [/Could not resolve|Temporary failure|Network is unreachable|No route to host/i, 'network'],
  [/Connection (refused|reset|timed out|closed)|Failed to connect|unable to connect/i, 'network'],
  [
    /timed out|early EOF|unexpected disconnect|RPC failed|Empty reply|returned error: (429|5\d\d)/i,
    'network',
  ],
  [/SSL_|gnutls|TLS|transfer closed|hung up unexpectedly|Broken pipe/i, 'network'],
]

/** The reason is at the end, after the progress and the server's messages. */
const LONGEST_READ = 16 * 1024

/** The error for a failed clone, quoting git once its message is redacted. */
export function cloneFailure(location: RepoLocation, { isMissing, stderr }: GitOutcome): CloneError {
  const { url } = location
  if (isMissing) return new CloneError({ url, problem: 'git-missing' })
  const end = stderr.slice(-LONGEST_READ)
  const problem = CLONE_FAILURES.find(([pattern]) => pattern.test(end))?.[1] ?? 'failed'
  const said = whatItSaid(location, end)
  return new CloneError({ url, problem, ...defined({ said: said || undefined }) })
}

/** A redactor skips short secrets, because innocent words contain them: in that case nothing is quoted. */
const SHORTEST_TO_REDACT = 6

function whatItSaid({ credentials }: RepoLocation, stderr: string): string {
  // A token is often given as the user name, with or without a password.
  const secrets = credentials ? [credentials.username, credentials.password].filter((one) => one !== '') : []
  if (secrets.some((secret) => secret.length < SHORTEST_TO_REDACT)) return ''
  const forms = secrets.flatMap((secret) => [secret, encodeURIComponent(secret)])
  return oneLine(redactor({ secrets: forms })(lastWords(stderr)))
}

/** The lines that say why. The server's own messages ("remote: ...") can be long, and come first. */
function lastWords(stderr: string): string {
  const lines = stderr.split('\n').filter((line) => line.trim() !== '')
  const reasons = lines.filter((line) => /^(fatal|error|ssh):|denied|failed/i.test(line))
  return (reasons.length > 0 ? reasons : lines).slice(-3).join(' ')
}
