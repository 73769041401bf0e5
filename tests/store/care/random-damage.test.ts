/**
 * Random damage to every kind of file of a store, read in a separate process: each read gives what was written, or a typed
 * error. `npm run faults` does more of it: CORRUPTIONS=2000.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { appendFileSync } from 'node:fs'
import { cp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, test } from 'vitest'
import { repetitions } from '../../repetitions.ts'
import { randomNumbers } from '../random-numbers.ts'
import { temporaryDirectory } from '../temporary.ts'
import { type Damage, damage, makeStoreToDamage } from './random-damage.ts'

const CORRUPTIONS = repetitions('CORRUPTIONS', { short: 10, long: 40 })
/** The same each time, so that a red test means changed code. `npm run faults` uses a new one. */
const SEED = Number(process.env.SEED ?? 734_812)
/** Repairs start processes, so only one in this many stores is repaired as well. */
const REPAIR_EVERY = 10

/** In these files a checksum covers every byte. */
const CHECKED = /^log\/(.*\.ldb|.*\.log|MANIFEST.*)$/

const DAMAGE_ERRORS = new Set(['CorruptRecord', 'SequenceGap', 'TailLoss', 'StoreDamaged', 'CorruptBlob'])
/** A damaged number in store.json may read as a newer format. */
const KNOWN_ERRORS = new Set([...DAMAGE_ERRORS, 'UnsupportedFormat'])

interface Answer {
  readonly ok?: boolean
  readonly named?: boolean
  readonly threw?: string
  readonly repaired?: string | { readonly kept: number } | null
  readonly outcomes?: readonly string[]
  readonly facts?: number
}

/** A reader process, replaced by another one when it dies. */
class Readers {
  readonly #original: string
  #child: ChildProcess | null = null
  #answers: AsyncIterator<string> | null = null

  constructor(original: string) {
    this.#original = original
  }

  /** null: the reader died answering this one. */
  async ask(question: object): Promise<Answer | null> {
    if (!this.#child) await this.#start()
    this.#child?.stdin?.write(`${JSON.stringify(question)}\n`)
    const answer = await this.#answers?.next()
    if (answer && !answer.done) return JSON.parse(answer.value) as Answer
    this.#child = null
    return null
  }

  end(): void {
    this.#child?.stdin?.end()
  }

  async #start(): Promise<void> {
    const program = join(import.meta.dirname, '../fixtures', 'reader.mjs')
    this.#child = spawn(process.execPath, [program], { stdio: ['pipe', 'pipe', 'inherit'] })
    const { stdout } = this.#child
    if (!stdout) throw new Error('no stdout')
    this.#answers = createInterface({ input: stdout })[Symbol.asyncIterator]()
    // Opening changes a store, so the reader learns the expected answers from a copy of the original.
    const copy = join(await temporaryDirectory(), 'store')
    await cp(this.#original, copy, { recursive: true })
    await this.ask({ directory: copy, learn: true })
  }
}

/** What is wrong with the answers of a damaged store; empty if nothing is. */
function complaints(done: Damage, answer: Answer | null): string[] {
  if (answer === null) return ['abort']
  const { ok, named, threw, repaired, outcomes = [] } = answer
  const found: string[] = []
  const errors = outcomes.filter((outcome) => outcome !== 'same')
  if (threw !== undefined && threw !== 'UnsupportedFormat') found.push(`verify threw ${threw}`)
  if (!named) found.push('a finding names no place')
  for (const error of errors) if (!KNOWN_ERRORS.has(error)) found.push(error)
  if (ok && errors.length > 0) found.push(`verify saw nothing, a reader ${errors[0]}`)
  // A MANIFEST truncated at the end of a record looks as if the rest had never been written.
  if (ok && done.changed && CHECKED.test(done.file) && done.way !== 'truncate')
    found.push(`verify saw no ${done.way}`)
  if (typeof repaired === 'string' && !KNOWN_ERRORS.has(repaired)) found.push(`repair: ${repaired}`)
  return found
}

test(`${CORRUPTIONS} random damages give no wrong value, lose nothing silently and abort nothing (SEED=${SEED})`, {
  timeout: 60_000 + CORRUPTIONS * 1000,
}, async () => {
  process.stderr.write(`damage: SEED=${SEED} CORRUPTIONS=${CORRUPTIONS}\n`)
  const random = randomNumbers(SEED)
  const original = join(await temporaryDirectory(), 'store')
  await makeStoreToDamage(original, SEED)
  const readers = new Readers(original)
  const counts = { corruptions: 0, unchanged: 0, harmless: 0, detected: 0, repaired: 0, wrong: 0, aborts: 0 }
  const kinds: Record<string, number> = {}
  const failures: unknown[] = []
  const room = await temporaryDirectory()
  const directory = join(room, 'store')
  const damaged = join(room, 'damaged')
  for (let number = 0; number < CORRUPTIONS; number++) {
    const repairTo = number % REPAIR_EVERY === 0 ? join(room, 'repaired') : null
    await cp(original, damaged, { recursive: true })
    const done = damage(damaged, random)
    // Opening changes a store, so the damaged one is kept as it is, in case something is wrong with what is read.
    await cp(damaged, directory, { recursive: true })
    const answer = await readers.ask({ directory, repairTo })
    const wrong = complaints(done, answer)
    if (wrong.length > 0) failures.push({ done, wrong, kept: await keep(damaged, number) })
    counts.corruptions++
    if (answer === null) counts.aborts++
    else if (wrong.length > 0) counts.wrong++
    else if (!done.changed) counts.unchanged++
    else if (answer.ok && answer.outcomes?.every((outcome) => outcome === 'same')) counts.harmless++
    else counts.detected++
    if (typeof answer?.repaired === 'object' && answer.repaired !== null) counts.repaired++
    const kind = `${done.way} ${done.kind.replace(/\d+/, '*')}`
    kinds[kind] = (kinds[kind] ?? 0) + 1
    for (const used of [damaged, directory, join(room, 'repaired')])
      await rm(used, { recursive: true, force: true })
  }
  readers.end()
  process.stderr.write(`damage: ${JSON.stringify(counts)}\n`)
  if (process.env.FAULTS_REPORT) {
    for (const line of [
      { name: 'random damage', seed: SEED, ...counts },
      { name: 'random damage: what was done to what', ...kinds },
    ])
      appendFileSync(process.env.FAULTS_REPORT, `${JSON.stringify(line)}\n`)
  }
  expect(failures).toEqual([])
})

/** Keeps a store that was read wrongly, if KEEP names a directory. */
async function keep(damaged: string, number: number): Promise<string | null> {
  if (!process.env.KEEP) return null
  const kept = join(process.env.KEEP, `${SEED}-${number}`)
  await cp(damaged, kept, { recursive: true })
  return kept
}
