// What the benches share: where the build is, how much they do, and how they measure.
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** Another build of the project: `BENCH_DIST=file:///elsewhere/dist`. */
export const dist = process.env.BENCH_DIST ?? new URL('../../dist', import.meta.url).href

/** `--quick` shows that each row can be measured; its figures mean nothing. */
export const isQuick = process.argv.includes('--quick')

export const sized = (full, quick) => (isQuick ? quick : full)

export async function withDirectory(work) {
  const directory = await mkdtemp(join(tmpdir(), 'bench-'))
  try {
    return await work(directory)
  } finally {
    await rm(directory, { recursive: true })
  }
}

/** Of all files in a directory. */
export async function bytesIn(directory) {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile())
  const sizes = await Promise.all(
    files.map(async ({ parentPath, name }) => (await stat(join(parentPath, name))).size),
  )
  return sizes.reduce((sum, bytes) => sum + bytes, 0)
}

/** In ms. */
export async function timed(action) {
  const begin = performance.now()
  await action()
  return performance.now() - begin
}

/** The CPU time of this process in ms, its threads included: other load on the machine does not count. */
export async function cpuOf(action) {
  const before = process.cpuUsage()
  await action()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1000
}

export const median = (numbers) =>
  numbers.toSorted((one, other) => one - other)[Math.floor(numbers.length / 2)]

/** The best estimate of CPU time: other load only ever adds to it. */
export const least = (numbers) => Math.min(...numbers)

export const rounded = (number, digits = 0) => Number(number.toFixed(digits))

/** A row of what should be small, with how many times it fits into its baseline or, without one, into its goal. */
export const row = ({ value, baseline, digits = 0, ...rest }) => ({
  ...rest,
  value: rounded(value, digits),
  ...(baseline !== undefined && { baseline: rounded(baseline, digits), ratio: rounded(baseline / value, 2) }),
})

let collect
/** The bytes that are reachable. */
export async function heapInUse() {
  setFlagsFromString('--expose-gc')
  collect ??= runInNewContext('gc')
  for (let round = 0; round < 3; round++) {
    await new Promise((resolve) => setImmediate(resolve))
    collect()
  }
  return process.memoryUsage().heapUsed
}
