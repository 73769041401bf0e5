/**
 * Before the tests with processes: a stand-in for claude, for tests in which the answer does not matter. It is a script that has
 * its work done by one process for all of them, and starts in a hundredth of the time. Its path is in `QUICK_CLAUDE`.
 *
 * And the real one, which is asked for its version once in all: every runner asks, and that is a fifth of what an answer takes.
 * Its path is in `ONCE_ASKED_CLAUDE`.
 */
import { execFile, fork } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { INSTALLED_CLAUDE } from '../claude/installed-claude.ts'

const SCRIPT = (port: number) => `#!/bin/bash
if [ "$1" = --version ]; then
  echo '2.1.197 (Claude Code)'
  exit
fi
exec 3<>/dev/tcp/127.0.0.1/${port}
{ printf '%s\\0' "$PWD" "$HOME" "$CLAUDE_CONFIG_DIR" "$ANTHROPIC_BASE_URL" "$#" "$@"; cat; printf '\\0'; } >&3
while IFS= read -r line <&3; do
  case $line in
    0*) exit "\${line:1}" ;;
    1*) printf '%s\\n' "\${line:1}" ;;
    2*) printf '%s\\n' "\${line:1}" >&2 ;;
    C) exec cat <&3 ;;
  esac
done
exit 1
`

const ONCE_ASKED = (version: string) => `#!/bin/sh
if [ "$*" = --version ]; then
  echo '${version}'
  exit
fi
exec '${INSTALLED_CLAUDE}' "$@"
`

export async function setup(): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'quick-claude-'))
  const standIn = fork(join(import.meta.dirname, 'quick-claude.mjs'), { execArgv: [] })
  const [port] = await once(standIn, 'message')
  process.env.QUICK_CLAUDE = join(folder, 'claude')
  await writeFile(process.env.QUICK_CLAUDE, SCRIPT(port), { mode: 0o755 })
  const { stdout } = await promisify(execFile)(INSTALLED_CLAUDE, ['--version'])
  process.env.ONCE_ASKED_CLAUDE = join(folder, 'claude-once-asked')
  await writeFile(process.env.ONCE_ASKED_CLAUDE, ONCE_ASKED(stdout.trim()), { mode: 0o755 })
  // Some tests start it as another user.
  await chmod(folder, 0o755)
  return async () => {
    const ended = once(standIn, 'exit')
    standIn.disconnect()
    await ended
    await rm(folder, { recursive: true, force: true })
  }
}
