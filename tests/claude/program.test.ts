/** Where the `claude` command is looked for, and which one is chosen. */
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { claudeCli } from '../../src/claude/claude-cli.ts'
import { locateProgram, platformPackages } from '../../src/claude/program.ts'
import { collect, testAgent } from './calls.ts'
import { INSTALLED_CLAUDE } from './installed-claude.ts'

let directory: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'claude-locate-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
})

async function program(path: string, output: string): Promise<string> {
  const place = join(directory, path)
  await mkdir(dirname(place), { recursive: true })
  await writeFile(place, `#!/bin/sh\necho '${output}'\n`)
  await chmod(place, 0o755)
  return place
}

const GOOD = '2.1.200 (Claude Code)'
const OLD = '2.1.196 (Claude Code)'

test('the requested path comes first, relative to the working directory', async () => {
  const path = await program('bin/claude', GOOD)
  const found = await locateProgram({ path: './bin/claude', environment: {}, directory })
  expect(found).toEqual({ path, version: [2, 1, 200] })
})

test('then the variable, then the PATH', async () => {
  const [named, onPath] = [await program('named', GOOD), await program('path/claude', GOOD)]
  const environment = { PATH: join(directory, 'path'), CLAUDE_AGENTS_CLAUDE_PATH: named }
  expect((await locateProgram({ environment, directory })).path).toBe(named)
  expect((await locateProgram({ environment: { PATH: environment.PATH }, directory })).path).toBe(onPath)
})

test('a requested program that is missing is an error, even if another exists', async () => {
  await program('path/claude', GOOD)
  const environment = { PATH: join(directory, 'path'), CLAUDE_AGENTS_CLAUDE_PATH: join(directory, 'no') }
  await expect(locateProgram({ environment, directory })).rejects.toMatchObject({
    _tag: 'BinaryNotFoundError',
    hint: expect.stringContaining('npm install -g @anthropic-ai/claude-code'),
  })
})

test('a version that is too old is rejected, naming the required one', async () => {
  const path = await program('claude', OLD)
  await expect(locateProgram({ path, environment: {}, directory })).rejects.toMatchObject({
    _tag: 'CliIncompatibleError',
    message: expect.stringContaining('2.1.196; version 2.1.197 or newer is required'),
    hint: expect.stringContaining('npm install'),
  })
})

test('a stub on the PATH does not hide the installed package', async () => {
  await program('path/claude', 'Error: claude native binary not installed.')
  const found = await locateProgram({ environment: { PATH: join(directory, 'path') }, directory })
  expect(found.path).toBe(INSTALLED_CLAUDE)
})

test('a package installed in the working directory is found', async () => {
  const [name = ''] = platformPackages(process.platform, process.arch, false)
  const path = await program(join('node_modules', name, 'claude'), GOOD)
  await writeFile(join(dirname(path), 'package.json'), '{}')
  const asked: string[] = []
  const ask = (candidate: string) => {
    asked.push(candidate)
    return Promise.resolve(OLD)
  }
  await expect(locateProgram({ environment: {}, directory, ask })).rejects.toThrow(path)
  expect(asked).toEqual([INSTALLED_CLAUDE, path])
})

test('a package installed next to this one is found without configuration', async () => {
  const found = await locateProgram({ environment: { PATH: '' }, directory })
  expect(found.path).toBe(INSTALLED_CLAUDE)
})

test('a directory or a file that is not executable is not a program', async () => {
  await mkdir(join(directory, 'claude'))
  await expect(locateProgram({ path: join(directory, 'claude'), environment: {} })).rejects.toMatchObject({
    _tag: 'BinaryNotFoundError',
  })
})

test('each platform has its packages, likeliest first', () => {
  expect(platformPackages('linux', 'x64', true)).toEqual([
    '@anthropic-ai/claude-code-linux-x64-musl',
    '@anthropic-ai/claude-code-linux-x64',
  ])
  expect(platformPackages('darwin', 'arm64', false)).toEqual(['@anthropic-ai/claude-code-darwin-arm64'])
})

test('a call without a program is a typed error, and works as soon as the program is installed', async () => {
  const agent = await testAgent()
  const path = join(directory, 'claude')
  const runner = claudeCli({ path })
  expect((await collect(runner, agent.call('x'))).error).toMatchObject({ _tag: 'BinaryNotFoundError' })
  await program('claude', OLD)
  expect((await collect(runner, agent.call('x'))).error).toMatchObject({ _tag: 'CliIncompatibleError' })
})
