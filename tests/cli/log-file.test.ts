/** The log file of a command, also when a hostile configuration file names it. */
import { execFileSync } from 'node:child_process'
import { mkdir, mkdtemp, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { logFile } from '../../src/cli/log-file.ts'
import { loadConfig } from '../../src/config/configuration.ts'

async function folder() {
  const made = await realpath(await mkdtemp(join(tmpdir(), 'claude-agents-')))
  onTestFinished(() => rm(made, { recursive: true, force: true }))
  return made
}

/** The log as a configuration file in a folder names it. */
async function namedInFile(directory: string, file: string) {
  await writeFile(join(directory, 'claude-agents.yaml'), `logging: { file: ${JSON.stringify(file)} }\n`)
  const config = await loadConfig({ directory, environment: {} })
  return logFile(config.logFile ?? '', config)
}

describe('a log that a configuration file names', () => {
  test('is created beside it, and appended to', async () => {
    const here = await folder()
    const first = await namedInFile(here, './agents.log')
    first('{"level":"info","msg":"one"}')
    const second = await namedInFile(here, 'agents.log')
    second('{"level":"info","msg":"two"}')
    const lines = (await readFile(join(here, 'agents.log'), 'utf8')).split('\n')
    expect(lines.map((line) => line && JSON.parse(line).msg)).toEqual(['one', 'two', ''])
  })

  test('cannot be a file elsewhere, whatever path leads there', async () => {
    const [here, elsewhere] = [await folder(), await folder()]
    const target = join(elsewhere, 'profile')
    await symlink(elsewhere, join(here, 'away'))
    await symlink(target, join(here, 'dangling'))
    for (const file of [target, `../${elsewhere.split('/').at(-1)}/profile`, 'away/profile'])
      await expect(namedInFile(here, file)).rejects.toThrow('outside')
    await expect(namedInFile(here, 'dangling')).rejects.toThrow('ELOOP')
    await expect(readFile(target)).rejects.toThrow('ENOENT')
  })

  test('cannot be an existing file that is not a log', async () => {
    const here = await folder()
    await writeFile(join(here, 'hook'), '#!/bin/sh\n')
    await mkdir(join(here, 'directory'))
    execFileSync('mkfifo', [join(here, 'pipe')])
    await expect(namedInFile(here, 'hook')).rejects.toThrow('not a log')
    await expect(namedInFile(here, 'pipe')).rejects.toThrow('not a file')
    await expect(namedInFile(here, 'directory')).rejects.toThrow('cannot be written')
    expect(await readFile(join(here, 'hook'), 'utf8')).toBe('#!/bin/sh\n')
  })
})

test('a log that is a pipe without a reader stops nothing: it is refused', async () => {
  const here = await folder()
  const file = join(here, 'pipe')
  execFileSync('mkfifo', [file])
  const config = await loadConfig({ directory: here, environment: {}, options: { 'logging.file': file } })
  expect(() => logFile(config.logFile ?? '', config)).toThrow('cannot be written (ENXIO)')
})

test('a log that the user names can be any file', async () => {
  const [here, elsewhere] = [await folder(), await folder()]
  const file = join(elsewhere, 'notes')
  await writeFile(file, 'mine\n')
  const config = await loadConfig({ directory: here, environment: {}, options: { 'logging.file': file } })
  logFile(config.logFile ?? '', config)('{}')
  expect(await readFile(file, 'utf8')).toBe('mine\n{}\n')
})
