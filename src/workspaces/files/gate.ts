/** The gate: a command of the user, run by a shell in a tree of its own. It executes what is in that tree, as the user. */
import { spawn } from 'node:child_process'
import { type Clock, inTime } from '../../clock.ts'
import { redactor, secretsOf } from '../../events/secrets/redaction.ts'
import { spawnWhenPossible } from '../descriptors.ts'

export interface GateOutcome {
  /** null if it was killed, also because it took too long. */
  readonly exitCode: number | null
  /** What it printed, or the end of it, without secrets of the environment. */
  readonly output: string
}

/** In characters. */
const LONGEST_OUTPUT = 1_000_000

/** A gate that takes longer is stuck. */
const LONGEST_MS = 60 * 60_000

/** How long its last output is waited for. */
const LAST_WORDS_MS = 2_000

/**
 * Starts the command, and a watcher that ends everything once its input closes: when the command is over, or when this
 * process is gone, however that ended.
 */
const WATCHED =
  'exec 3<&0 </dev/null; (read -r _ <&3; kill -KILL -$$) >/dev/null 2>&1 & exec 3<&-; exec sh -c "$1"'

/** Variables that would lead the command's git into another repository, or that are logins of agents or of the log. */
const LEFT_OUT = /^(GIT_|ANTHROPIC_|CLAUDE|PGPASS)/

/** Resolves when nothing of the command runs any more. */
export async function runGate(
  command: string,
  directory: string,
  { signal, clock }: { readonly signal: AbortSignal; readonly clock: Clock },
): Promise<GateOutcome> {
  const inherited = Object.entries(process.env).filter(([name]) => !LEFT_OUT.test(name))
  const environment = Object.fromEntries(inherited)
  const start = () =>
    spawn('sh', ['-c', WATCHED, 'sh', command], {
      cwd: directory,
      env: environment,
      stdio: ['pipe', 'pipe', 'pipe'],
      // A group of its own, to be ended as a whole.
      detached: true,
      windowsHide: true,
    })
  signal.throwIfAborted()
  const { child } = await spawnWhenPossible(start, { signal, clock })
  const end = () => child.stdin.destroy()
  let printed = ''
  const read = (piece: string) => {
    printed = (printed + piece).slice(-2 * LONGEST_OUTPUT)
  }
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', read)
  child.stdin.on('error', () => {})
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const exited = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', resolve)
  }).then(async (code) => {
    // What it has left running is ended with it; what has left its group cannot be waited for.
    end()
    await inTime(clock, closed, LAST_WORDS_MS, undefined)
    for (const stream of [child.stdout, child.stderr]) stream.destroy()
    return code
  })
  signal.addEventListener('abort', end, { once: true })
  try {
    const exitCode = await inTime(clock, exited, LONGEST_MS, 'late' as const)
    if (exitCode !== 'late') return { exitCode, output: told(printed, environment) }
    end()
    await exited
    const output = `${told(printed, environment)}\nIt was ended after ${LONGEST_MS / 60_000} minutes.`
    return { exitCode: null, output }
  } finally {
    signal.removeEventListener('abort', end)
  }
}

function told(printed: string, environment: Readonly<Record<string, string | undefined>>): string {
  const known = Object.fromEntries(
    Object.entries(environment).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  )
  // A part at a time: only the beginning of a text is looked at.
  const redact = redactor({ secrets: secretsOf(known).flatMap((secret) => [secret, ...secret.split('\n')]) })
  const parts: string[] = []
  let part = ''
  for (const line of printed.slice(-LONGEST_OUTPUT).split(/(?<=\n)/)) {
    if (part.length + line.length > LONGEST_PART) {
      parts.push(part)
      part = ''
    }
    part += line
  }
  return [...parts, part].map(redact).join('')
}

const LONGEST_PART = 8_000
