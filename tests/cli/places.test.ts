/** Places that can be no base directory, and a machine that is out of something: an error for people, whatever the command. */
import { execFile } from 'node:child_process'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { describeError } from '../../src/events/errors/base.ts'
import { MAIN, quickCommandLine } from './command.ts'

const COMMANDS = [['agent', 'list'], ['agent', 'create', 'a', 'x'], ['log'], ['recover'], ['top', '--once']]

test.each<[string, (folder: string) => Promise<string>, string]>([
  [
    'a file',
    async (folder) => {
      await writeFile(join(folder, 'file'), '')
      return 'file'
    },
    'not a directory',
  ],
  [
    'a place below a file',
    async (folder) => {
      await writeFile(join(folder, 'file'), '')
      return 'file/below'
    },
    'not a directory',
  ],
  [
    'a link that leads nowhere',
    async (folder) => {
      await symlink('nowhere', join(folder, 'link'))
      return 'link'
    },
    'it does not exist',
  ],
  [
    'a link that leads to itself',
    async (folder) => {
      await symlink('link', join(folder, 'link'))
      return 'link'
    },
    'it is a link to itself',
  ],
  ['a name that is too long', async () => 'x'.repeat(300), 'a name in it is too long'],
])('a base directory that is %s is an error for people', async (_, make, problem) => {
  const { run, folder } = await quickCommandLine()
  const baseDir = await make(folder)
  for (const words of COMMANDS) {
    const { stderr, exitCode } = await run(['--base-dir', baseDir, ...words, '--json'])
    expect(exitCode).toBe(1)
    expect(JSON.parse(stderr)).toMatchObject({
      error: {
        code: 'StoreNotOpened',
        message: expect.stringMatching(new RegExp(`^The store .* cannot be opened: .*${problem}`)),
        hint: expect.stringMatching(/\w/),
      },
    })
    expect(stderr).not.toMatch(/E[A-Z]+: |mkdir|scandir/)
  }
})

/** Runs the command from a shell. */
const shell = (script: string, cwd: string) =>
  new Promise<string>((resolve) => {
    execFile('bash', ['-c', `${script} 2>&1`, process.execPath, MAIN], { cwd }, (_, said) => resolve(said))
  })

test('a working directory that is gone is an error for people', async () => {
  const { folder } = await quickCommandLine()
  await mkdir(join(folder, 'gone'))
  for (const words of ['agent list', 'agent create a x', 'init --yes', 'doctor']) {
    const said = await shell(`mkdir -p gone; cd gone; rmdir ../gone; "$0" "$1" ${words}`, folder)
    expect(said).toBe(
      'error: The working directory no longer exists.\n  Change to a directory that exists (cd), then try again.\n',
    )
  }
})

test('a lack of descriptors is an error for people, even before the first of our files is read', async () => {
  const { folder } = await quickCommandLine()
  const lack = {
    error: {
      code: 'SystemError',
      message: 'Too many open files.',
      hint: 'Close some files, or raise the limit (ulimit -n).',
    },
  }
  const said: string[] = []
  for (let limit = 18; limit <= 32; limit += 1)
    said.push(await shell(`ulimit -n ${limit}; "$0" "$1" --json agent list`, folder))
  // With fewer, Node itself cannot start; how many it needs differs from version to version.
  const lacking = said.filter((text) => text.startsWith('{"error"'))
  expect(lacking.length).toBeGreaterThan(0)
  for (const text of lacking) expect(JSON.parse(text)).toEqual(lack)
})

test.each([
  'EACCES',
  'EROFS',
  'ENOSPC',
  'EMFILE',
  'ENFILE',
  'ELOOP',
  'ENOTDIR',
  'EISDIR',
  'ENAMETOOLONG',
  'EIO',
])('an unforeseen %s says what is wrong with what, and what to do', (code) => {
  const error = Object.assign(new Error(`${code}: open '/a/b'`), { code, syscall: 'open', path: '/a/b' })
  const { message, hint } = describeError(error)
  expect(message).toMatch(/^\/a\/b: [a-z -]+\.$/)
  expect(hint).toMatch(/^[A-Z].*\.$/)
})
