// Plants one bug at a time in a copy of the sources, and expects the simulation to find it: npm run simulate:planted [-- WORDS].
// A seed counts only if the sources as they are pass it. SEEDS is how many are tried. The run fails if a bug is not found, or if
// it can no longer be planted.
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { BUGS } from './bugs.mjs'

/** Tries the seeds with two builds, and prints the first one that only the second fails. */
const SEARCH = `
const [good, bad] = await Promise.all(process.argv.slice(1, 3).map((dist) => import(dist + '/testing/simulation/simulate.js')))
const broken = ({ simulate }, seed) => simulate({ seed, shrinkPlays: 0 }).then(() => null, (error) => error)
for (let seed = 1; seed <= Number(process.argv[3]); seed++) {
  const error = await broken(bad, seed)
  if (error === null || (await broken(good, seed)) !== null) continue
  console.log(JSON.stringify({ seed, law: error.law ?? String(error) }))
  process.exit(0)
}
console.log(JSON.stringify({ seed: null, law: '' }))
`

const root = fileURLToPath(new URL('..', import.meta.url))
const words = process.argv.slice(2)
const { SEEDS = '1000' } = process.env
const copy = mkdtempSync(join(tmpdir(), 'planted-'))
const selected = BUGS.filter(({ bug }) => words.every((word) => bug.includes(word)))
try {
  for (const name of ['src', 'tsconfig.json', 'tsconfig.build.json', 'package.json'])
    cpSync(join(root, name), join(copy, name), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
  build('as-it-is')
  const rows = selected.map((planted) => ({ bug: planted.bug, ...found(planted) }))
  console.table(rows)
  if (rows.some(({ seed }) => seed === null)) process.exitCode = 1
} finally {
  rmSync(copy, { recursive: true, force: true })
}

function found({ file, from, to }) {
  const path = join(copy, file)
  const text = readFileSync(path, 'utf8')
  const times = text.split(from).length - 1
  if (times !== 1) return { seed: null, law: `cannot be planted: the line is ${times} times in ${file}` }
  writeFileSync(
    path,
    text.replace(from, () => to),
  )
  build('with-a-bug')
  writeFileSync(path, text)
  const builds = ['as-it-is', 'with-a-bug'].map((name) => join(copy, name))
  const words = ['--input-type=module', '--eval', SEARCH, ...builds, SEEDS]
  const { stdout, stderr } = spawnSync(process.execPath, words, { encoding: 'utf8' })
  const line = stdout.trim().split('\n').at(-1)
  if (!line) return { seed: null, law: stderr.slice(0, 200) }
  const { seed, law } = JSON.parse(line)
  console.log(`${planted(seed)} ${file}: ${law}`)
  return { seed, law }
}

function planted(seed) {
  return seed === null ? 'not found' : `seed ${seed}`
}

/** Types may be wrong after an edit, which does not keep the compiler from writing. */
function build(name) {
  const compiler = join(root, 'node_modules/typescript/bin/tsc')
  spawnSync(process.execPath, [compiler, '-p', 'tsconfig.build.json', '--outDir', join(copy, name)], {
    cwd: copy,
  })
}
