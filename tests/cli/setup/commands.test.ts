import { execFileSync } from 'node:child_process'
import { chmod, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { commandLine, MAIN, quickCommandLine } from '../command.ts'
import { hasTmux, tmux } from '../tmux.ts'

describe('init', () => {
  test('writes a valid configuration, adds the store to .gitignore, and overwrites nothing', async () => {
    const { run, folder } = await commandLine()
    await writeFile(join(folder, '.gitignore'), 'node_modules')
    expect((await run(['init', '--yes'])).exitCode).toBe(0)
    expect(await readFile(join(folder, '.gitignore'), 'utf8')).toBe('node_modules\n.claude-agents/\n')
    expect((await run(['config', 'validate'])).stdout).toContain('3 agents, 1 workflow.')
    const again = await run(['init', '--yes'])
    expect(again.exitCode).toBe(2)
    expect(again.stderr).toContain('already exists')
    const forced = await run(['--json', 'init', '--force'])
    expect(forced.values).toMatchObject([{ agents: ['researcher', 'analyst', 'writer'], ignored: [] }])
  })

  test('writes through no link that came with a repository', async () => {
    const { run, folder } = await commandLine()
    await symlink(join(folder, 'one'), join(folder, 'claude-agents.yaml'))
    expect(await run(['init', '--yes'])).toMatchObject({ exitCode: 2 })
    await symlink(join(folder, 'two'), join(folder, '.gitignore'))
    expect(await run(['init', '--yes', '--config', 'other.yaml'])).toMatchObject({ exitCode: 0 })
    expect((await readdir(folder)).sort()).toEqual(['.gitignore', 'claude-agents.yaml', 'other.yaml'])
  })

  test('says what to do without a terminal', async () => {
    const { run } = await commandLine()
    const { exitCode, stderr } = await run(['init'])
    expect(exitCode).toBe(2)
    expect(stderr).toContain('claude-agents init --yes')
  })

  test.runIf(hasTmux)('ends at the first Ctrl-C, and has written nothing', async () => {
    const { folder } = await commandLine()
    const terminal = await tmux(folder, {})
    await terminal.type(`${process.execPath} ${MAIN} init; echo "exit $?"`)
    await terminal.shows(/Which agents/)
    await terminal.press('C-c')
    const screen = await terminal.shows(/exit \d+/)
    expect(screen).toContain('exit 130')
    expect(screen).not.toContain('Which model')
    expect(await readdir(folder)).not.toContain('claude-agents.yaml')
  })
})

describe('doctor', () => {
  test('checks everything, and asks the model with --live', async () => {
    const { run } = await commandLine()
    const { values, exitCode } = await run(['--json', '--simulate', 'doctor', '--live'])
    expect(values.map(({ name, status }) => `${name} ${status}`)).toEqual([
      'configuration ok',
      'node ok',
      'claude ok',
      'login ok',
      'directory ok',
      'disk ok',
      'lock ok',
      'store ok',
      'round trip ok',
    ])
    expect(exitCode).toBe(0)
  })

  test('fails with a fix for every problem', async () => {
    const { run, folder } = await commandLine({ CLAUDE_AGENTS_CLAUDE_PATH: '/nowhere/claude' })
    await writeFile(join(folder, 'claude-agents.yaml'), 'orchestrater: {}\n')
    await mkdir(join(folder, '.claude-agents'))
    await chmod(join(folder, '.claude-agents'), 0o755)
    const { stdout, exitCode } = await run(['doctor'])
    expect(exitCode).toBe(1)
    expect(stdout).toMatch(/✗ configuration .*orchestrater.*\n +Did you mean "orchestrator"\?/)
    expect(stdout).toMatch(/✗ claude .*\/nowhere\/claude.*\n +\S/)
    expect(stdout).toMatch(/! login .*\n +Log in/)
    expect(stdout).toMatch(/! directory .*\n +chmod go-rwx/)
  })

  test.each([
    ['a store whose store.json is missing', ['rm', 'store.json'], /✗ store .*it is missing/],
    ['a store without its log', ['rm', '-r', 'log'], /✗ store .*problems?; the first/],
    ['a lock that is no file', ['mkdir', 'lock'], /✗ lock .*lock is a directory, not a file/],
  ])('never says that all is well of %s', async (_, [program = '', ...words], said) => {
    const { run, folder } = await quickCommandLine()
    await run(['agent', 'create', 'a', 'You work.'])
    execFileSync(program, words, { cwd: join(folder, '.claude-agents') })
    expect(await run(['log', 'verify'])).toMatchObject({ exitCode: 1 })
    const { stdout, exitCode } = await run(['--simulate', 'doctor'])
    expect(stdout).toMatch(said)
    expect(exitCode).toBe(1)
  })

  test.each([
    ['a file', ['touch'], /a part of its path is not a directory/],
    ['a named pipe', ['mkfifo'], /a part of its path is not a directory/],
    ['a link to itself', ['ln', '-s', '.claude-agents'], /it is a link to itself/],
    ['a link that leads nowhere', ['ln', '-s', 'nowhere'], /if it is a link, check where it leads/],
  ])('refuses %s as the base directory, as every command does', async (_, [program = '', ...words], said) => {
    const { run, folder } = await quickCommandLine()
    execFileSync(program, [...words, '.claude-agents'], { cwd: folder })
    expect(await run(['agent', 'list'])).toMatchObject({ exitCode: 1, stderr: expect.stringMatching(said) })
    const { stdout, exitCode } = await run(['--simulate', 'doctor'])
    expect(stdout).toMatch(/✗ directory /)
    expect(stdout).toMatch(said)
    expect(stdout).not.toMatch(/✓ (directory|disk|lock|store)/)
    expect(exitCode).toBe(1)
  })
})

describe('completion', () => {
  test('in bash knows the commands, their options, and the names of agents', async () => {
    const { run, folder } = await commandLine()
    await writeFile(join(folder, 'claude-agents.yaml'), 'agents: [{ id: researcher, system_prompt: x }]\n')
    await run(['agent', 'create', 'writer', 'You write.'])
    await symlink(MAIN, join(folder, 'claude-agents'))
    const script = (await run(['completion', 'bash'])).stdout
    const completeIn = (path: string, typed: readonly string[]) => {
      const line = typed.map((word) => `'${word}'`).join(' ')
      const program = `${script}\nCOMP_WORDS=(${line}); COMP_CWORD=${typed.length - 1}; _claude_agents; printf '%s ' "\${COMPREPLY[@]}"`
      const env = { ...process.env, PATH: path }
      return execFileSync('/bin/bash', ['-c', program], { cwd: folder, env, encoding: 'utf8' }).trim()
    }
    const complete = (...words: string[]) =>
      completeIn(`${folder}:${process.env.PATH}`, ['claude-agents', ...words])
    expect(complete('workf')).toBe('workflow')
    expect(complete('agent', 's')).toBe('show sessions')
    expect(complete('agent', 'ask', '')).toBe('researcher writer')
    expect(complete('log', '--stream', 'agent/w')).toBe('agent/writer')
    expect(complete('agent', 'ask', 'writer', '--te')).toBe('--text')
    expect(complete('--base-dir', '/nowhere', 'agent', 'ask', '')).toBe('researcher')

    // Installed in the project alone, and started by npx.
    await rm(join(folder, 'claude-agents'))
    await mkdir(join(folder, 'node_modules/.bin'), { recursive: true })
    await symlink(MAIN, join(folder, 'node_modules/.bin/claude-agents'))
    const byNpx = (...words: string[]) => completeIn(process.env.PATH ?? '', ['npx', ...words])
    expect(byNpx('claude-agents', 'agent', 'ask', '')).toBe('researcher writer')
    expect(byNpx('claude-agents', 'workf')).toBe('workflow')
    expect(byNpx('vitest', 'work')).toBe('')
  })

  test.each(['zsh', 'fish'])('there is a script for %s', async (shell) => {
    const { run } = await commandLine()
    expect((await run(['completion', shell])).stdout).toContain('claude-agents complete --')
  })
})
