/** Identifies the account that pays for calls, by the service's host and a fingerprint of the login. */
import { hash } from 'node:crypto'
import { CLOUDS, isLogin, isOn, type Variables } from '../inherited-environment.ts'
import { storedLogin } from './stored.ts'

export interface AccountContext {
  /** Our own environment. */
  readonly inherited: Variables
  /** Variables that the library's user adds. A login among them replaces ours entirely. */
  readonly added: Variables
}

/** The variables of a call that identify the user. */
function loginOf({ inherited, added }: AccountContext): readonly (readonly [string, string])[] {
  const own = Object.keys(added).some(isLogin) ? added : { ...storedLogin(inherited), ...inherited }
  const clouds = CLOUDS.filter(({ on }) => isOn(own[on]))
  const counts = (name: string) =>
    (isLogin(name) && !CLOUDS.some(({ variables }) => variables.test(name))) ||
    clouds.some(({ variables }) => variables.test(name)) ||
    name === 'CLAUDE_SECURESTORAGE_CONFIG_DIR'
  return Object.entries(own)
    .flatMap(([name, value]) => (value && counts(name) ? [[name, value] as const] : []))
    .sort(([one], [other]) => (one < other ? -1 : 1))
}

/** The host of the service and a fingerprint, as in `api.anthropic.com#3f9a61c04d21`. */
export function accountOf(context: AccountContext): string {
  const login = loginOf(context)
  const baseUrl = login.find(([name]) => name === 'ANTHROPIC_BASE_URL')?.[1] ?? 'https://api.anthropic.com'
  const fingerprint = hash('sha256', JSON.stringify(login), 'hex').slice(0, 12)
  return `${hostOf(baseUrl)}#${fingerprint}`
}

/** Keys given in the environment do not change on a retry. A stored login may be renewed. */
const FIXED = ['ANTHROPIC_API_KEY', 'ANTHROPIC_AUTH_TOKEN', 'CLAUDE_CODE_OAUTH_TOKEN']

export const isLoginFixed = (context: AccountContext): boolean =>
  loginOf(context).some(([name]) => FIXED.includes(name))

/** A base URL may contain a password. */
function hostOf(url: string): string {
  try {
    return new URL(url).host
  } catch {
    return 'unknown'
  }
}
