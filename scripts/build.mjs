// Builds dist/: the library as modules, the command as a bundle, the inspector's page, and the JSON Schema of the
// configuration file. dist/ is swapped in one step, so that a program running from it never sees an incomplete build.
import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { bundleCommand } from './bundle.mjs'
import { buildPage } from './page.mjs'

// Tests that build set another one: the page would be one for development, with paths of this machine in it.
process.env.NODE_ENV = 'production'

const root = fileURLToPath(new URL('..', import.meta.url))
const dist = `${root}dist`
const made = `${root}dist.${process.pid}.new`
const old = `${root}dist.${process.pid}.old`
try {
  const compiler = `${root}node_modules/typescript/bin/tsc`
  execFileSync(process.execPath, [compiler, '-p', 'tsconfig.build.json', '--outDir', made], {
    cwd: root,
    stdio: 'inherit',
  })
  await buildPage(`${made}/inspector/page`)
  const { configJsonSchema } = await import(`${made}/config/schema.js`)
  writeFileSync(`${made}/claude-agents.schema.json`, `${JSON.stringify(configJsonSchema(), null, 2)}\n`)
  await buildCommand()
  if (existsSync(dist)) renameSync(dist, old)
  renameSync(made, dist)
} catch (error) {
  // The compiler has printed its own errors.
  process.exitCode = 1
  if (error.status === undefined) console.error(error)
} finally {
  for (const folder of [made, old]) rmSync(folder, { recursive: true, force: true })
}

/** Replaces the command's modules by their bundle. */
async function buildCommand() {
  const { KINDS } = await import(`${made}/history/kinds.js`)
  const fingerprints = Object.fromEntries(KINDS.map(({ kind, fingerprint }) => [kind, fingerprint]))
  await bundleCommand({
    root: made,
    main: `${made}/cli/main.js`,
    folder: `${made}/cli.bundle`,
    constants: { FINGERPRINTS: JSON.stringify(fingerprints) },
  })
  rmSync(`${made}/cli`, { recursive: true })
  renameSync(`${made}/cli.bundle`, `${made}/cli`)
  chmodSync(`${made}/cli/main.js`, 0o755)
}
