/** Changes of a directory as agents make them, at random: of every kind of file, under every kind of name. */

import { createHash } from 'node:crypto'
import {
  chmod,
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  realpath,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { execaSync } from 'execa'
import fc from 'fast-check'
import { isRefusedLink } from '../../../src/workspaces/files/paths.ts'

/** Bytes in latin1: names need not be UTF-8. */
type Path = string

const names = fc.constantFrom(
  ...['a', 'b.txt', 'dir', 'x y', 'q"uote', 'new\nline', '-option', '.GIT', '.git', '.gitignore'],
  ...['.gitattributes', '.gitmodules', 'node_modules', 'build', 'x.log', '\xc3\xa4', '\xff\xfe', '\\back'],
)
const paths: fc.Arbitrary<Path> = fc
  .array(names, { minLength: 1, maxLength: 3 })
  .map((steps) => steps.join('/'))

const MEGABYTES = 10
const contents = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.constantFrom('', 'one\n', 'one\r\ntwo\r\n', '$Id$\n', 'build\n', '*.log\n!x.log\n', '*\n'),
  },
  {
    weight: 4,
    arbitrary: fc.constantFrom(
      '* text eol=crlf filter=evil\n',
      '* working-tree-encoding=UTF-16\n',
      '*.txt text=auto ident export-subst\n',
      'gitdir: /nowhere\n',
    ),
  },
  {
    weight: 6,
    arbitrary: fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
  },
  { weight: 1, arbitrary: fc.constant('x'.repeat(200_000)) },
)

const of = <Kind extends string, Rest extends object>(
  kind: Kind,
  rest: { [K in keyof Rest]: fc.Arbitrary<Rest[K]> },
) =>
  fc.record({ do: fc.constant(kind), path: paths, ...rest }) as unknown as fc.Arbitrary<
    { readonly do: Kind; readonly path: Path } & Readonly<Rest>
  >

export const change = fc.oneof(
  { weight: 12, arbitrary: of('write', { content: contents, mode: fc.constantFrom(0o644, 0o755) }) },
  { weight: 5, arbitrary: of('remove', {}) },
  { weight: 4, arbitrary: of('rename', { to: paths }) },
  {
    weight: 3,
    arbitrary: of('link', { to: fc.constantFrom('../outside', 'a', 'nowhere', '/nowhere/at/all', '\xff') }),
  },
  { weight: 3, arbitrary: of('chmod', { mode: fc.constantFrom(0o600, 0o700) }) },
  { weight: 2, arbitrary: of('init', { commits: fc.boolean() }) },
  { weight: 2, arbitrary: of('directory', {}) },
  { weight: 1, arbitrary: of('pipe', {}) },
  { weight: 1, arbitrary: of('large', {}) },
)
export type Change = typeof change extends fc.Arbitrary<infer One> ? One : never

const bytesOf = (directory: string, path: Path): Buffer =>
  Buffer.concat([Buffer.from(`${directory}/`), Buffer.from(path, 'latin1')])

const parentOf = (path: Path): Path => path.slice(0, Math.max(0, path.lastIndexOf('/')))

/** What cannot be done, for example because a file is where a directory would be, is not done. */
export async function make(directory: string, one: Change): Promise<void> {
  await made(directory, one).catch(() => {})
}

async function made(directory: string, one: Change): Promise<void> {
  const path = bytesOf(directory, one.path)
  // What makes the directory a worktree is for other tests.
  if (/^\.git(\/|$)/.test(one.path) || (one.do === 'rename' && /^\.git(\/|$)/.test(one.to))) return
  const parent = parentOf(one.path)
  await mkdir(bytesOf(directory, parent), { recursive: true })
  // What is done through a link is done elsewhere.
  const real = await realpath(bytesOf(directory, parent), 'buffer')
  const top = await realpath(directory)
  if (!real.equals(parent === '' ? Buffer.from(top) : bytesOf(top, parent))) return
  const stats = await lstat(path).catch(() => null)
  switch (one.do) {
    case 'write':
      if (stats?.isFIFO()) return
      if (stats?.isSymbolicLink()) await rm(path)
      await writeFile(path, Buffer.from(one.content, 'latin1'))
      return chmod(path, one.mode)
    case 'remove':
      return rm(path, { recursive: true })
    case 'rename':
      if (stats?.isSymbolicLink() && isRefusedLink(one.to)) return
      return rename(path, bytesOf(directory, one.to))
    case 'link':
      // Git has no place for it.
      if (isRefusedLink(one.path)) return
      return symlink(Buffer.from(one.to, 'latin1'), path)
    case 'chmod':
      return stats?.isFile() ? chmod(path, one.mode) : undefined
    case 'directory':
      return void (await mkdir(path))
    case 'init': {
      if (stats && !stats.isDirectory()) return
      await mkdir(path, { recursive: true })
      // Where the name is no UTF-8, there is no way to say it.
      if (!Buffer.from(path.toString()).equals(path)) return
      execaSync('git', ['init', '-q', path.toString()], { reject: false })
      const me = ['-c', 'user.name=A', '-c', 'user.email=a@example.com']
      if (one.commits)
        execaSync('git', ['-C', path.toString(), ...me, 'commit', '-qm', 'inner', '--allow-empty'], {
          reject: false,
        })
      return undefined
    }
    case 'pipe':
      return void execaSync('mkfifo', [path.toString()], { reject: false })
    case 'large':
      return writeFile(path, Buffer.alloc(MEGABYTES * 1024 * 1024, one.path))
  }
}

const shown = (bytes: Buffer): string =>
  bytes.length < 100 ? bytes.toString('latin1') : createHash('sha1').update(bytes).digest('hex')

/** What is in a directory: of each file its kind, its mode and its bytes, by path. */
export async function pictureOf(directory: string): Promise<ReadonlyMap<Path, string>> {
  const seen = new Map<Path, string>()
  const left: Path[] = ['']
  for (let at = left.pop(); at !== undefined; at = left.pop()) {
    const listed = await readdir(at === '' ? Buffer.from(directory) : bytesOf(directory, at), {
      encoding: 'buffer',
    })
    for (const name of listed) {
      const path: Path = `${at === '' ? '' : `${at}/`}${name.toString('latin1')}`
      if (path === '.git') continue
      const bytes = bytesOf(directory, path)
      const stats = await lstat(bytes)
      if (stats.isDirectory()) left.push(path)
      else if (stats.isSymbolicLink())
        seen.set(path, `link ${(await readlink(bytes, 'buffer')).toString('latin1')}`)
      else if (stats.isFile())
        seen.set(path, `${stats.mode & 0o100 ? 'x' : '-'} ${shown(await readFile(bytes))}`)
      else seen.set(path, 'pipe')
    }
  }
  return seen
}
