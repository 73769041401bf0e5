// Runs the benches of this folder (or those named) and prints one table. Exit 1 when a ratio is under its floor.
import { readdir } from 'node:fs/promises'

const folder = new URL('.', import.meta.url)
const asked = process.argv.slice(2)
const found = (await readdir(folder))
  .filter((file) => file.endsWith('.mjs') && file !== 'run.mjs')
  .map((file) => file.slice(0, -'.mjs'.length))
  .sort()
const unknown = asked.filter((bench) => !found.includes(bench))
if (unknown.length > 0) {
  console.error(`No bench ${unknown.join(', ')}. There are: ${found.join(', ')}.`)
  process.exit(2)
}

const rows = []
for (const file of asked.length > 0 ? asked : found) {
  const bench = await import(new URL(`${file}.mjs`, folder).href)
  for (const row of await bench.run()) rows.push({ bench: bench.name, ...row })
}
console.table(
  rows.map(({ bench, what, value, unit, baseline, ratio, floor }) => ({
    bench,
    what,
    value: `${value} ${unit}`,
    baseline: baseline === undefined ? '' : `${baseline} ${unit}`,
    ratio: ratio ?? '',
    floor: floor ?? '',
  })),
)
const tooSlow = rows.filter(({ ratio, floor }) => floor !== undefined && ratio < floor)
for (const { what, ratio, floor } of tooSlow)
  console.error(`Too slow: ${what}: ${ratio}, at least ${floor} is asked for.`)
process.exitCode = tooSlow.length > 0 ? 1 : 0
