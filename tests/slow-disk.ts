/**
 * SLOW_DISK=SEED: each operation of the disk takes its time, another one each time, as on a machine that does much else. A test
 * that fails then has waited for what only mostly comes first.
 */
import fs from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { setTimeout as delay } from 'node:timers/promises'
import { Level } from 'level'
import { randomNumbers } from './store/random-numbers.ts'

type Operation = (...words: unknown[]) => Promise<unknown>

const FILES = [
  'open',
  'readFile',
  'writeFile',
  'rename',
  'rm',
  'mkdir',
  'mkdtemp',
  'readdir',
  'stat',
  'lstat',
] as const

const random = randomNumbers(Number(process.env.SLOW_DISK))

/** Half of them are as quick as ever, and few are very slow. */
async function later(): Promise<void> {
  const chance = random(100)
  if (chance >= 50) await delay(chance === 99 ? 40 + random(80) : random(12))
}

function slowDown(on: object, names: readonly string[], { before }: { readonly before: boolean }): void {
  const operations = on as Record<string, Operation>
  for (const name of names) {
    const operation = operations[name] as Operation
    operations[name] = async function (this: unknown, ...words) {
      if (before) await later()
      const result = await operation.apply(this, words)
      await later()
      return result
    }
  }
}

/** The class of what a method makes is known only once it has made one. */
function slowDownMade(on: object, maker: string, names: readonly string[]): void {
  const makers = on as Record<string, (...words: unknown[]) => object>
  const make = makers[maker] as (...words: unknown[]) => object
  const known = new Set<object>()
  makers[maker] = function (this: unknown, ...words) {
    const made = make.apply(this, words)
    const type = Object.getPrototypeOf(made)
    if (!known.has(type)) slowDown(type, names, { before: false })
    known.add(type)
    return made
  }
}

/** Once a process: files of tests share it. */
const DONE = Symbol.for('slow disk')
if (!Object.hasOwn(globalThis, DONE)) {
  Object.assign(globalThis, { [DONE]: true })
  slowDown(fs, FILES, { before: true })
  syncBuiltinESMExports()
  // Not before: a database may be closed meanwhile, and its addon does not look again.
  slowDown(Level.prototype, ['_get', '_getMany', '_batch', '_put', '_del'], { before: false })
  slowDownMade(Level.prototype, '_chainedBatch', ['_write'])
  slowDownMade(Level.prototype, '_iterator', ['_next', '_nextv'])
}
