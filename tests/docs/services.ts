/** The services of a page, a unit of systemd and a compose file, in a home whose project has the command. */
import { spawnSync } from 'node:child_process'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse } from 'yaml'
import { MAIN } from '../cli/command.ts'
import { temporaryDirectory } from '../store/temporary.ts'
import { blocks } from './documents.ts'

export const hasSystemd = spawnSync('systemd-analyze', ['--version']).status === 0

export function servicesOf(page: string) {
  const [unit = ''] = blocks(page, 'ini')
  return { unit, compose: parse(blocks(page, 'yaml')[0] ?? '') }
}

/** Where a unit runs: `%h`, its working directory below that, and the file of the unit. */
export interface InstalledUnit {
  readonly home: string
  readonly project: string
  readonly file: string
}

export async function installed(unit: string, name: string): Promise<InstalledUnit> {
  const home = await temporaryDirectory()
  const project = join(home, 'my-project')
  const file = join(home, name)
  await mkdir(join(project, 'node_modules/.bin'), { recursive: true })
  await symlink(MAIN, join(project, 'node_modules/.bin/claude-agents'))
  await writeFile(file, unit)
  return { home, project, file }
}

/** What systemd says of a unit. */
export function verified({ home, file }: InstalledUnit) {
  const { status, stderr } = spawnSync('systemd-analyze', ['--user', '--man=no', 'verify', file], {
    env: { ...process.env, HOME: home, XDG_RUNTIME_DIR: home },
    encoding: 'utf8',
  })
  return { status, said: stderr.split('\n').filter((line) => line.includes('claude-agents')) }
}
