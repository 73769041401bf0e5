/** Addresses that would make git run or read something: rejected, with no marker left behind. */
import { existsSync } from 'node:fs'
import { chmod, readdir, readFile } from 'node:fs/promises'
import { beforeEach, describe, expect, test } from 'vitest'
import { InvalidInputError } from '../../../src/events/errors/usage.ts'
import { CloneError } from '../../../src/events/errors/workspace.ts'
import { repository } from './git-world.ts'
import { makeWorld, type World } from './world.ts'

let world: World

beforeEach(async () => {
  world = await makeWorld()
})

/** MARKER stands for a path that must not be created. */
const HOSTILE_URLS = [
  'ext::sh -c touch% MARKER',
  'ext::sh%20-c%20touch%20MARKER',
  'fd::7',
  '-u touch MARKER',
  '-utouch MARKER',
  '--upload-pack=touch MARKER',
  '--upload-pack=touch$IFSMARKER',
  '--config=core.sshCommand=touch MARKER',
  '--template=/tmp',
  'ssh://-oProxyCommand=touch$IFSMARKER/x',
  '-oProxyCommand=touch$IFSMARKER@host:x',
  'git@-oProxyCommand=touch$IFSMARKER:x',
  'file:///etc',
  '/etc',
  'http://169.254.169.254/latest',
]

describe.each([false, true])('with local repositories allowed: %s', (allowLocalRepos) => {
  test.each(HOSTILE_URLS)('%s is inert', async (url) => {
    const marker = world.outside('marker')
    const hostile = url.replace('MARKER', marker)
    const error = await world.refusal({ repos: [{ url: hostile, target: 'x' }] }, { allowLocalRepos })
    // If paths are allowed, /etc is tried, and is not a repository.
    const isPath = allowLocalRepos && /^(file:\/\/)?\/etc$/.test(url)
    expect(error).toBeInstanceOf(isPath ? CloneError : InvalidInputError)
    expect(existsSync(marker)).toBe(false)
    expect(await readdir(world.directories.workspace)).toEqual([])
  })

  test.each(['-u touch MARKER', '--upload-pack=touch MARKER', '-cMARKER'])(
    'the ref %s is rejected',
    async (ref) => {
      const repo = await repository(world)
      const hostile = ref.replace('MARKER', world.outside('marker'))
      const repos = [{ url: repo.path, ref: hostile }]
      expect(await world.refusal({ repos }, { allowLocalRepos })).toBeInstanceOf(InvalidInputError)
    },
  )
})

/** Replaces ssh: records how it was called, prints what it was told to, and fails. */
async function fakeSsh(says: string): Promise<{ readonly path: string; called(): Promise<string> }> {
  const ssh = await world.give(
    'bin/ssh',
    `#!/bin/sh\n{ printf '%s\\n' "$@"; env; } > '${world.source('called')}'\necho '${says}' >&2\nexit 255\n`,
  )
  await chmod(ssh, 0o755)
  const path = `${world.source('bin')}:${process.env.PATH}`
  return { path, called: () => readFile(world.source('called'), 'utf8') }
}

test('nothing in our environment that could influence git reaches it', async () => {
  const ssh = await fakeSsh('Host key verification failed.')
  const touch = `touch ${world.outside('marker')}`
  await world.give(
    'home/.gitconfig',
    `[core]\n\tsshCommand = ${touch}\n[url "ext::${touch} "]\n\tinsteadOf = ssh://\n`,
  )
  const environment = {
    PATH: ssh.path,
    HOME: world.source('home'),
    SSH_AUTH_SOCK: '/run/agent',
    GIT_SSH: touch,
    GIT_SSH_COMMAND: touch,
    GIT_PROXY_COMMAND: touch,
    GIT_ASKPASS: touch,
    GIT_TRACE: world.outside('marker'),
    GIT_TEMPLATE_DIR: world.source('home'),
    GIT_CONFIG_COUNT: '1',
    GIT_CONFIG_KEY_0: 'core.sshCommand',
    GIT_CONFIG_VALUE_0: touch,
    GIT_ALLOW_PROTOCOL: 'ext',
    ANTHROPIC_API_KEY: 'sk-ant-secret',
  }
  const repos = [{ url: 'ssh://git@example.org/owner/name' }]
  const error = await world.refusal({ repos }, { environment })
  expect(error).toMatchObject({
    retryable: false,
    details: { url: 'ssh://git@example.org/owner/name', problem: 'unknown-host-key' },
  })
  const called = await ssh.called()
  for (const expected of ['-oBatchMode=yes', '-oStrictHostKeyChecking=yes', 'SSH_AUTH_SOCK=/run/agent']) {
    expect(called).toContain(expected)
  }
  expect(called).toContain('GIT_TERMINAL_PROMPT=0')
  expect(called).not.toContain('touch')
  expect(called).not.toContain('sk-ant-secret')
})

test.each([
  ['git@github.com: Permission denied (publickey).', 'refused', false],
  ['ssh: connect to host example.org port 22: Connection timed out', 'network', true],
  ['ssh: Could not resolve hostname example.org: Temporary failure in name resolution', 'network', true],
  ['ERROR: Repository not found.', 'not-found', false],
])('what ssh prints (%s) becomes a typed error', async (says, problem, retryable) => {
  const { path } = await fakeSsh(says)
  const repos = [{ url: 'git@example.org:owner/name.git' }]
  const error = await world.refusal({ repos }, { environment: { PATH: path } })
  expect(error).toBeInstanceOf(CloneError)
  expect(error).toMatchObject({ retryable, details: { problem } })
})
