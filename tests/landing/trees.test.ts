/** What landing does to the tree, the index and the configuration of the user, whatever is in them. With real git. */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execaSync } from 'execa'
import { expect, test } from 'vitest'
import { repository } from './kit.ts'

/** Every file of the tree, and of the repository what belongs to the user: index, stash, configuration. */
async function picture(repo: string): Promise<Record<string, string>> {
  const seen: Record<string, string> = {}
  for (const entry of await readdir(repo, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    const name = path.slice(repo.length + 1)
    const isOurs =
      /^\.git\/(index|config|HEAD|refs\/(stash|tags|heads\/main)|hooks\/|logs\/refs\/stash)/.test(name)
    if (!entry.isFile() || (name.startsWith('.git/') && !isOurs)) continue
    seen[name] = createHash('sha256')
      .update(await readFile(path))
      .digest('hex')
  }
  return seen
}

test('a dirty tree stays byte for byte as it is, and what lands next is merged on top of what waits for the user', async () => {
  const { repo, git, open, at } = await repository()
  const { agent, landed } = await open()
  for (const id of ['one', 'two', 'three']) await agent(id, `${id}.txt=${id}`)
  await writeFile(join(repo, 'a.txt'), 'stashed\n')
  git('stash')
  await writeFile(join(repo, 'a.txt'), 'mine\n')
  await writeFile(join(repo, 'staged.txt'), 'staged\n')
  git('add', 'staged.txt')
  await writeFile(join(repo, 'new.txt'), 'new\n')
  const before = await picture(repo)
  const [one, two] = await landed(['one', 'two'])
  const [three] = await landed('three')
  expect([one, two, three].map((entry) => entry?.status)).toEqual(['landed', 'landed', 'landed'])
  expect(await picture(repo)).toEqual(before)

  // One command takes over all of it.
  const command = /To take it over: (.*)$/.exec(three?.reason ?? '')?.[1] ?? ''
  git('add', '-A')
  git('commit', '-qm', 'mine')
  execaSync('sh', ['-c', command.replace(/^git/, 'git -c user.name=U -c user.email=u@e')])
  for (const id of ['one', 'two', 'three']) expect(at(`${id}.txt`)).toBe(id)
  expect(at('a.txt')).toBe('mine')
})

test('a branch that is not checked out moves alone, also in a bare repository', async () => {
  const { folder, repo, git, open } = await repository()
  const { agent, landed, orchestrator } = await open()
  git('branch', 'next')
  await agent('dev', 'b.txt=two')
  const before = await picture(repo)
  expect(await landed('dev', { into: 'next' })).toMatchObject([{ status: 'landed', target: 'next' }])
  expect(await picture(repo)).toEqual(before)
  expect(git('show', 'next:b.txt')).toBe('two')

  const bare = join(folder, 'bare.git')
  execaSync('git', ['clone', '-q', '--bare', repo, bare])
  const other = await orchestrator.createAgent({ id: 'o', systemPrompt: 'x', workspace: { repo: bare } })
  await other.ask('c.txt=three')
  expect(await landed('o')).toMatchObject([{ status: 'landed', target: 'main', reason: null }])
  expect(execaSync('git', ['-C', bare, 'show', 'main:c.txt']).stdout).toBe('three')
})

test('a branch that the user moves while the gate runs is merged and judged again', async () => {
  const { repo, git, open, at } = await repository()
  const { agent, landed } = await open()
  await agent('dev', 'b.txt=two')
  // The first time, the gate itself is the user who commits.
  const user = `git -C ${repo} -c user.name=U -c user.email=u@e commit -q --allow-empty -m meanwhile`
  const gate = `test -e ${repo}/../seen || { touch ${repo}/../seen; ${user}; }`
  expect(await landed('dev', { gate })).toMatchObject([{ status: 'landed', reason: null }])
  expect(at('b.txt')).toBe('two')
  expect(git('log', '--first-parent', '--format=%s').split('\n')).toEqual([
    'Merge claude-agents/dev',
    'meanwhile',
    'first',
  ])
})

test('nothing of a hostile repository runs when work lands in its tree', async () => {
  const { folder, repo, git, open, at } = await repository()
  const { agent, landed } = await open()
  await agent('dev', 'b.txt=two')
  const ran = join(folder, 'ran')
  const evil = join(folder, 'evil.sh')
  await writeFile(evil, `#!/bin/sh\necho "$0 $*" >> ${ran}\ncat\n`, { mode: 0o755 })
  const hooks = [
    'post-merge',
    'post-checkout',
    'reference-transaction',
    'post-index-change',
    'pre-merge-commit',
    'pre-auto-gc',
  ]
  await mkdir(join(repo, '.git/hooks'), { recursive: true })
  for (const hook of hooks) {
    await writeFile(join(repo, '.git/hooks', hook), `#!/bin/sh\necho ${hook} >> ${ran}\n`)
    await chmod(join(repo, '.git/hooks', hook), 0o755)
  }
  const settings = {
    'core.fsmonitor': evil,
    'core.hooksPath': '.git/hooks',
    'core.editor': evil,
    'core.pager': evil,
    'core.worktree': folder,
    'filter.evil.clean': evil,
    'filter.evil.smudge': evil,
    'filter.evil.process': evil,
    'filter.evil.required': 'true',
    'filter.a=b.smudge': evil,
    'merge.evil.driver': evil,
    'merge.verifySignatures': 'true',
    'merge.autoStash': 'true',
    'merge.default': 'evil',
    'gpg.program': evil,
    'branch.main.mergeOptions': '--strategy=evil --verify-signatures',
    'diff.external': evil,
    'diff.evil.textconv': evil,
    'log.showSignature': 'true',
    'gc.auto': '1',
    'alias.merge': `!${evil}`,
    'submodule.recurse': 'true',
    'uploadpack.packObjectsHook': evil,
  }
  for (const [name, value] of Object.entries(settings)) git('config', '--local', name, value)
  execaSync('git', ['config', '--file', join(repo, '.git/config'), '--unset', 'core.worktree'])
  await writeFile(join(repo, '.git/info/attributes'), '* merge=evil diff=evil\n')
  const [first] = await landed('dev')
  expect(first).toMatchObject({ status: 'landed', reason: null })
  expect(existsSync(ran)).toBe(false)
  expect(at('b.txt')).toBe('two')
  expect(await readFile(join(repo, 'b.txt'), 'utf8')).toBe('two\n')

  // What git would convert is left to the user's own git.
  await writeFile(join(repo, '.git/info/attributes'), '* filter=evil\n')
  await agent('lfs', 'c.txt=three')
  const [second] = await landed('lfs')
  expect(second?.reason).toContain('its files are converted by git')
  expect(existsSync(ran)).toBe(false)
})

test('a branch that is being rebased is left alone', async () => {
  const { repo, git, open } = await repository()
  const { agent, landed } = await open()
  await agent('dev', 'b.txt=two')
  await writeFile(join(repo, 'a.txt'), 'two\n')
  git('commit', '-qam', 'second')
  execaSync('git', ['rebase', '-i', 'HEAD~1'], {
    cwd: repo,
    env: {
      GIT_SEQUENCE_EDITOR: "sed -i 's/^pick/edit/'",
      GIT_COMMITTER_NAME: 'U',
      GIT_COMMITTER_EMAIL: 'u@e',
    },
  })
  const before = await picture(repo)
  const [entry] = await landed('dev', { into: 'main' })
  expect(entry?.reason).toContain('a rebase or a bisection is under way there')
  expect(await picture(repo)).toEqual(before)
  git('rebase', '--continue')
  git('merge', '-q', 'claude-agents/landed/main')
})
