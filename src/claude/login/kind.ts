/** Which kind of login a call would use, found without reading any secret. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { CLOUDS, isOn, type Variables } from '../inherited-environment.ts'
import { storedLogin } from './stored.ts'

export interface LoginKind {
  /** `none`: nothing was found. `unknown`: only the system's keychain could tell. */
  readonly kind: 'cloud' | 'variable' | 'stored' | 'none' | 'unknown'
  /** The name of the variable, or where the login is stored. */
  readonly where: string
}

/** In the CLI's order of precedence. */
const VARIABLES = ['ANTHROPIC_AUTH_TOKEN', 'ANTHROPIC_API_KEY', 'CLAUDE_CODE_OAUTH_TOKEN']

export function loginKind(
  environment: Variables,
  exists: (path: string) => boolean = existsSync,
  platform: NodeJS.Platform = process.platform,
): LoginKind {
  const cloud = CLOUDS.find(({ on }) => isOn(environment[on]))
  if (cloud) return { kind: 'cloud', where: cloud.on }
  const variable = VARIABLES.find((name) => environment[name])
  if (variable !== undefined) return { kind: 'variable', where: variable }
  const directory = storedLogin(environment, exists).CLAUDE_SECURESTORAGE_CONFIG_DIR
  const file = directory ? join(directory, '.credentials.json') : undefined
  if (file !== undefined && exists(file)) return { kind: 'stored', where: file }
  return platform === 'darwin'
    ? { kind: 'unknown', where: 'the keychain' }
    : { kind: 'none', where: file ?? 'the home directory' }
}
