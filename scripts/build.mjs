// Compiles src/ to dist/, builds the inspector's page, makes the command executable, and writes the JSON Schema of the
// configuration file.
// dist/ is replaced at once, so that a program that runs from it does not find half of it.
import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { buildPage } from './page.mjs'

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
  chmodSync(`${made}/cli/main.js`, 0o755)
  const { configJsonSchema } = await import(`${made}/config/schema.js`)
  writeFileSync(`${made}/claude-agents.schema.json`, `${JSON.stringify(configJsonSchema(), null, 2)}\n`)
  if (existsSync(dist)) renameSync(dist, old)
  renameSync(made, dist)
} catch (error) {
  // What the compiler had to say it has said.
  process.exitCode = 1
  if (error.status === undefined) console.error(error)
} finally {
  for (const folder of [made, old]) rmSync(folder, { recursive: true, force: true })
}
