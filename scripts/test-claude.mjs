// Runs the adapter's tests with any version of claude: npm run test:claude -- --version 2.1.197
// The default is the newest version on npm. It is installed into a temporary folder; node_modules does not change.
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const root = fileURLToPath(new URL('..', import.meta.url))
const { values, positionals } = parseArgs({
  options: { version: { type: 'string', default: 'latest' } },
  allowPositionals: true,
})
if (!/^[\w.^~-]+$/.test(values.version)) throw new Error(`${values.version} is not a version`)

const folder = mkdtempSync(join(tmpdir(), 'test-claude-'))
try {
  writeFileSync(join(folder, 'package.json'), '{"private":true}')
  const install = [
    'install',
    '--no-audit',
    '--no-fund',
    '--silent',
    `@anthropic-ai/claude-code@${values.version}`,
  ]
  execFileSync('npm', install, { cwd: folder, stdio: 'inherit' })
  const path = installed(join(folder, 'node_modules'))
  process.stdout.write(`${path}: ${execFileSync(path, ['--version'], { encoding: 'utf8' })}`)
  const tests = positionals.length > 0 ? positionals : ['tests/claude']
  const { status } = spawnSync('npx', ['vitest', 'run', ...tests], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, CLAUDE_AGENTS_CLAUDE_PATH: path },
  })
  process.exitCode = status ?? 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}

/** The native program: without install scripts, what npm links as `claude` is only a stub. */
function installed(modules) {
  const scope = join(modules, '@anthropic-ai')
  const native = readdirSync(scope)
    .filter((name) => name.startsWith(`claude-code-${process.platform}-${process.arch}`))
    .map((name) => join(scope, name, 'claude'))
    .find((path) => existsSync(path))
  return native ?? join(modules, '.bin', 'claude')
}
