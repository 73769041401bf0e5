/**
 * Before the tests with processes: a stand-in for claude, for tests in which the answer does not matter. It is a script that has
 * its work done by one process for all of them, and starts in a hundredth of the time. Its path is in `QUICK_CLAUDE`.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

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

export async function setup(): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'quick-claude-'))
  const standIn = fork(join(import.meta.dirname, 'quick-claude.mjs'), { execArgv: [] })
  const [port] = await once(standIn, 'message')
  process.env.QUICK_CLAUDE = join(folder, 'claude')
  await writeFile(process.env.QUICK_CLAUDE, SCRIPT(port), { mode: 0o755 })
  return async () => {
    const ended = once(standIn, 'exit')
    standIn.disconnect()
    await ended
    await rm(folder, { recursive: true, force: true })
  }
}
