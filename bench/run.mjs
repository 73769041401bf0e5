// Runs all benches of this folder, or the named ones, and prints one table. Exits with 1 if a ratio is below its floor.
// With --quick they do little: to see that they work, not to measure.
import { readdir } from 'node:fs/promises'
import { isQuick } from './kit/measuring.mjs'

const folder = new URL('.', import.meta.url)
const wanted = process.argv.slice(2).filter((word) => word !== '--quick')
const found = (await readdir(folder))
  .filter((file) => file.endsWith('.mjs') && file !== 'run.mjs')
  .map((file) => file.slice(0, -'.mjs'.length))
  .sort()
const unknown = wanted.filter((bench) => !found.includes(bench))
if (unknown.length > 0) {
  console.error(`Unknown bench: ${unknown.join(', ')}. Available: ${found.join(', ')}.`)
  process.exit(2)
}

const rows = []
for (const file of wanted.length > 0 ? wanted : found) {
  try {
    const bench = await import(new URL(`${file}.mjs`, folder).href)
    for (const row of await bench.run()) rows.push({ bench: bench.name, ...row })
  } catch (error) {
    // What the others have measured took long.
    console.error(`The bench ${file} failed:`, error)
    process.exitCode = 1
  }
}
console.table(
  rows.map(({ bench, what, value, unit, baseline, ratio, goal, floor }) => ({
    bench,
    what,
    value: `${value} ${unit}`,
    baseline: baseline === undefined ? '' : `${baseline} ${unit}`,
    ratio: ratio ?? '',
    goal: goal ?? '',
    floor: floor ?? '',
  })),
)
if (isQuick) console.error('These figures mean nothing: --quick only shows that each row can be measured.')
else {
  for (const { what, ratio, goal } of rows.filter(({ ratio, goal }) => ratio < goal))
    console.error(`Not reached: ${what}: the ratio is ${ratio}, the goal ${goal}.`)
  for (const { what, ratio, floor } of rows.filter(({ ratio, floor }) => ratio < floor)) {
    console.error(`Too slow: ${what}: the ratio is ${ratio}, below the floor of ${floor}.`)
    process.exitCode = 1
  }
}
