// Runs one of the examples, by number or by file name: npm run example -- 4 [--simulate] [arguments]
// With --simulate, claude talks to a simulated model on this machine: no login, no cost.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, rmSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const examples = readdirSync(join(root, 'examples')).filter((file) => file.endsWith('.ts'))
const [wanted = '', ...words] = process.argv.slice(2).filter((word) => word !== '--simulate')
const found = examples.find((file) => file === wanted || Number.parseInt(file, 10) === Number(wanted))
if (found === undefined) {
  console.error(`Name an example by its number: npm run example -- 4 --simulate\n  ${examples.join('\n  ')}`)
  process.exit(2)
}

// Inside the package, so that `claude-multi-agent` resolves to it.
const compiled = join(root, `dist.example.${process.pid}`)
const model = process.argv.includes('--simulate') ? await startModel() : undefined
try {
  const compiler = join(root, 'node_modules/typescript/bin/tsc')
  const options = ['-p', join(root, 'tsconfig.examples.json'), '--outDir', compiled]
  execFileSync(process.execPath, [compiler, ...options], { stdio: 'inherit' })
  const program = join(compiled, found.replace(/\.ts$/, '.js'))
  const child = spawn(process.execPath, [program, ...words], {
    stdio: 'inherit',
    env: { ...process.env, ...model?.environment },
  })
  // The example handles these signals itself; Ctrl-C reaches it without help.
  process.on('SIGINT', () => {})
  process.on('SIGTERM', () => child.kill('SIGTERM'))
  const [code, signal] = await once(child, 'exit')
  process.exitCode = code ?? 128 + constants.signals[signal]
} finally {
  rmSync(compiled, { recursive: true, force: true })
  await model?.close()
}

async function startModel() {
  const { simulatedModel } = await import('../dist/entry-points/testing.js')
  return simulatedModel()
}
