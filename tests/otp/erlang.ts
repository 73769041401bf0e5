/** Erlang's own supervisor, played by one Erlang VM: a script goes in as a line, and what was seen comes out as a line. */
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

/** The first release whose supervisor knows significant children. */
const FIRST_RELEASE = 24

/** Why Erlang cannot be asked here; undefined if it can. */
export function whyNoErlang(): string | undefined {
  const asked = spawnSync('erl', [
    '-noshell',
    '-eval',
    'io:put_chars(erlang:system_info(otp_release)), halt().',
  ])
  if (asked.error) return 'erl is not installed (apt-get install erlang-base)'
  const release = String(asked.stdout)
  return Number(release) >= FIRST_RELEASE ? undefined : `Erlang/OTP ${release} is older than ${FIRST_RELEASE}`
}

export class Erlang {
  readonly #process: ChildProcessWithoutNullStreams
  readonly #answers: AsyncIterator<string>

  private constructor(process: ChildProcessWithoutNullStreams) {
    this.#process = process
    this.#answers = createInterface({ input: process.stdout })[Symbol.asyncIterator]()
  }

  /** Resolves when the VM is up. */
  static async start(): Promise<Erlang> {
    const started = spawn('escript', [join(import.meta.dirname, 'reference.escript')])
    started.stderr.pipe(process.stderr)
    const erlang = new Erlang(started)
    await erlang.#answer()
    return erlang
  }

  /** What was seen after the start, after each step, and after the end. */
  async play(script: string): Promise<readonly string[]> {
    this.#process.stdin.write(`${script}\n`)
    return (await this.#answer()).split(' | ')
  }

  async stop(): Promise<void> {
    const ended = once(this.#process, 'exit')
    this.#process.stdin.end()
    await ended
  }

  async #answer(): Promise<string> {
    const { value, done } = await this.#answers.next()
    if (done) throw new Error(`Erlang has ended with ${this.#process.exitCode}`)
    return value
  }
}
