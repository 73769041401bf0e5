/** A terminal to type in and to read. */
import { spawnSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { expect, onTestFinished, vi } from 'vitest'

export const hasTmux = spawnSync('tmux', ['-V']).status === 0

const ignored = () => {}

/** A shell in a terminal of 100 by 24. */
export async function tmux(folder: string, environment: Readonly<Record<string, string>>, name = 'terminal') {
  const socket = join(folder, name)
  const env = { ...environment, PATH: process.env.PATH ?? '', HOME: folder, LC_ALL: 'C.UTF-8' }
  const command = (...words: string[]) =>
    execa('tmux', ['-u', '-S', socket, ...words], { cwd: folder, env, extendEnv: false })
  await command('-f', '/dev/null', 'new-session', '-d', '-x', '100', '-y', '24', 'sh')
  // Awaited: after this, the folder is removed, and the socket with it.
  onTestFinished(() => command('kill-server').then(ignored, ignored))
  return {
    type: (text: string) => command('send-keys', `code=$?; clear; ${text}`, 'Enter'),
    /** Types a line into the running program. */
    enter: (text: string) => command('send-keys', text, 'Enter'),
    press: (...keys: string[]) => command('send-keys', ...keys),
    /** Pastes as the terminal itself does. */
    async paste(text: string) {
      const file = join(folder, 'pasted')
      await writeFile(file, text)
      await command('load-buffer', file)
      await command('paste-buffer', '-p')
    },
    /** Resolves with the screen as soon as it shows this. */
    shows: (what: RegExp): Promise<string> =>
      vi.waitFor(
        async () => {
          const { stdout } = await command('capture-pane', '-p')
          expect(stdout).toMatch(what)
          return stdout
        },
        { timeout: 30_000, interval: 100 },
      ),
  }
}
