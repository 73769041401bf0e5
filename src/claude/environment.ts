/** The environment of a call: what it takes over from ours, what bounds the CLI, and the marks we find it by. */

import { join } from 'node:path'
import { HOME_MARKER } from '../workspaces/directories.ts'
import { inheritedEnvironment, isLogin, type Variables } from './inherited-environment.ts'
import { storedLogin } from './login/stored-login.ts'
import type { CallSettings } from './runner.ts'
import { grantsShell } from './tool-rules.ts'
import { knowsFileMentions, type Version } from './version.ts'

export type Environment = Readonly<Record<string, string>>

/** Marks every process of a call, also those that were started by its tools and outlive it. */
export const CALL_MARKER = 'CLAUDE_AGENTS_CALL_ID'
/** Says what it works on, for whoever looks at the table of processes. */
export const TASK_MARKER = 'CLAUDE_AGENTS_TASK_ID'

/** Keep the CLI's own retries and waiting short, as ours are logged; and keep it from doing more than it is asked. */
const BOUNDS: Environment = {
  DISABLE_AUTOUPDATER: '1',
  DISABLE_TELEMETRY: '1',
  CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
  CLAUDE_CODE_MAX_RETRIES: '2',
  API_TIMEOUT_MS: '120000',
  // A stream that stalls is cut after a minute; without these it may hang for five.
  CLAUDE_ENABLE_BYTE_WATCHDOG: '1',
  CLAUDE_BYTE_STREAM_IDLE_TIMEOUT_MS: '60000',
  // With background work one call could give several results, or none for a long time.
  CLAUDE_CODE_DISABLE_BACKGROUND_TASKS: '1',
}

/**
 * `@/etc/passwd` in a prompt is text, not a file to be read without asking. Older versions have one switch for that and
 * for reminders that a call can do without; in newer ones that switch would hide tools from the model.
 */
const withoutFileMentions = (version: Version): Environment =>
  knowsFileMentions(version)
    ? { CLAUDE_CODE_DISABLE_FILE_MENTIONS: '1' }
    : { CLAUDE_CODE_DISABLE_FILE_MENTIONS: '1', CLAUDE_CODE_DISABLE_ATTACHMENTS: '1' }

/**
 * A repository's own configuration names programs (a file system monitor, filters, hooks), and 2.1.197 ran them: `git
 * status` when it started, `git worktree add` when the model asked for a worktree. So the first is not run, and an
 * agent without a shell, which has no use for git, finds no repository. 2.1.330 takes GIT_DIR out and runs git with
 * all of these switched off.
 */
const withoutRepository = (settings: CallSettings): Environment =>
  settings.loadProjectSettings
    ? {}
    : {
        CLAUDE_CODE_DISABLE_GIT_INSTRUCTIONS: '1',
        ...(grantsShell(settings) ? {} : { GIT_DIR: '/dev/null' }),
      }

export interface CallEnvironment {
  readonly callId: string
  readonly taskId: string
  readonly home: string
  readonly version: Version
  readonly settings: CallSettings
  /** Ours. */
  readonly inherited: Variables
  /** What the user of the library adds. A login in it replaces the one in ours as a whole. */
  readonly added?: Environment
}

/** Where the CLI keeps its sessions and its settings. */
export const configDirectory = (home: string): string => join(home, '.claude')

/** Where the CLI keeps what its commands print while it runs. By default that is one place for all agents of a user. */
export const temporaryDirectory = (home: string): string => join(home, 'tmp')

/** The whole environment of a call: nothing is inherited besides. */
export function callEnvironment({
  callId,
  taskId,
  home,
  version,
  settings,
  inherited,
  added = {},
}: CallEnvironment): Environment {
  const isOurs = !Object.keys(added).some(isLogin)
  return {
    LANG: 'C.UTF-8',
    ...inheritedEnvironment(inherited, isOurs),
    ...(isOurs ? storedLogin(inherited) : {}),
    // The CLI lets root go without permissions only where this says that nothing can be harmed.
    ...(settings.permissions === 'bypass' && inherited.IS_SANDBOX === '1' ? { IS_SANDBOX: '1' } : {}),
    ...BOUNDS,
    ...withoutFileMentions(version),
    ...withoutRepository(settings),
    ...added,
    HOME: home,
    CLAUDE_CONFIG_DIR: configDirectory(home),
    CLAUDE_CODE_TMPDIR: temporaryDirectory(home),
    [CALL_MARKER]: callId,
    [TASK_MARKER]: taskId,
    [HOME_MARKER]: home,
  }
}
