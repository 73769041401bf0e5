/** What becomes of a notification at a receiver: a command is run, a webhook is called, a bell is rung. */
import { spawn } from 'node:child_process'
import { createHmac } from 'node:crypto'
import { resolve } from 'node:path'
import { isExecutable, onPath } from '../claude/program.ts'
import { type Clock, systemClock } from '../clock.ts'
import type { Notification, NotificationReceiver, SecretReference } from '../events/options/notify.ts'
import { oneLine, redactor, secretsOf } from '../events/secrets/redaction.ts'
import { readPlainFile } from '../store/directory.ts'

/** What came back. `failed` may pass; `refused` will not; `unusable`: this process lacks the secret of the receiver. */
export interface DeliveryResult {
  readonly outcome: 'delivered' | 'failed' | 'refused' | 'unusable'
  /** As one line, without secrets. */
  readonly said: string
}

/** Tries once. Never rejects, and ends soon after the signal aborts. */
export type Deliver = (
  receiver: NotificationReceiver,
  notification: Notification,
  signal: AbortSignal,
) => Promise<DeliveryResult>

/** What receivers are reached by. */
export interface Reach {
  readonly clock: Clock
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly fetch: typeof globalThis.fetch
  readonly terminal: { readonly isTTY?: boolean; write(text: string): unknown }
}

const COMMAND_WITHIN_MS = 30_000
const ANSWERS_WITHIN_MS = 10_000

/** How much of the end of what a failed command says is looked at, and quoted. */
const LAST_WORDS = 2000
const QUOTED = 300

/** What a receiver is, for people: the program, or the address without its path, which may be secret. */
export function receiverName({ command, webhook }: NotificationReceiver): string {
  if (command) return command[0] ?? ''
  return webhook ? new URL(webhook.url).origin : 'the bell of the terminal'
}

export function deliverer(given: Partial<Reach> = {}): Deliver {
  const reach: Reach = {
    clock: systemClock,
    environment: process.env,
    fetch: globalThis.fetch,
    terminal: process.stderr,
    ...given,
  }
  return async (receiver, notification, signal) => {
    const { command, webhook } = receiver
    const body = JSON.stringify(notification)
    if (command)
      return inTimeLimit(reach.clock, COMMAND_WITHIN_MS, signal, (limit) =>
        run(command, body, reach.environment, limit),
      )
    if (webhook)
      return inTimeLimit(reach.clock, ANSWERS_WITHIN_MS, signal, (limit) => call(webhook, body, reach, limit))
    // Without a terminal there is no bell, and it is of no use later.
    if (reach.terminal.isTTY !== true) return { outcome: 'delivered', said: 'there is no terminal' }
    reach.terminal.write('\u0007')
    return { outcome: 'delivered', said: 'the bell rang' }
  }
}

async function inTimeLimit(
  clock: Clock,
  withinMs: number,
  signal: AbortSignal,
  work: (limit: AbortSignal) => Promise<DeliveryResult>,
): Promise<DeliveryResult> {
  const late = new AbortController()
  const cancel = clock.after(withinMs, () => late.abort())
  const ended = await work(AbortSignal.any([signal, late.signal])).catch((error) =>
    failed(oneLine(redactor({})(String(error)))),
  )
  cancel()
  return late.signal.aborted && ended.outcome === 'failed'
    ? { outcome: 'failed', said: `it took longer than ${withinMs / 1000} s` }
    : ended
}

const failed = (said: string): DeliveryResult => ({ outcome: 'failed', said })

/** Why a program was not started, by the code of the system. */
const NOT_STARTED: Readonly<Record<string, string>> = {
  ENOENT: 'there is no program',
  EACCES: 'you may not execute',
}

/** In a process group of its own, so that nothing that it started is left when it is ended. */
function run(
  [program = '', ...words]: readonly string[],
  body: string,
  environment: Reach['environment'],
  signal: AbortSignal,
): Promise<DeliveryResult> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve(failed('it was not started'))
    const redact = redactor({ secrets: secretsOf(environment as Record<string, string>) })
    const child = spawn(program, words, {
      env: environment as NodeJS.ProcessEnv,
      stdio: ['pipe', 'ignore', 'pipe'],
      detached: process.platform !== 'win32',
    })
    let complaint = ''
    const end = (delivery: DeliveryResult) => {
      signal.removeEventListener('abort', stop)
      child.stderr.destroy()
      resolve(delivery)
    }
    const stop = () => {
      try {
        if (child.pid !== undefined)
          process.kill(process.platform === 'win32' ? child.pid : -child.pid, 'SIGKILL')
      } catch {
        // It has ended.
      }
      end(failed('it was ended'))
    }
    signal.addEventListener('abort', stop, { once: true })
    child.once('error', ({ message, code }: NodeJS.ErrnoException) => {
      const problem = NOT_STARTED[code ?? '']
      end(failed(oneLine(redact(problem ? `${problem} ${program}` : message))))
    })
    child.stderr.on('data', (piece) => {
      complaint = `${complaint}${piece}`.slice(-LAST_WORDS)
    })
    // One that does not read it all is none the worse for it.
    child.stdin.on('error', () => {})
    child.stdin.end(`${body}\n`)
    child.once('exit', (code) => code === 0 && end({ outcome: 'delivered', said: 'exit code 0' }))
    child.once('close', (code, killed) => {
      const last = oneLine(redact(complaint), LAST_WORDS).slice(-QUOTED)
      const how = killed === null ? `exit code ${code}` : `it was killed by ${killed}`
      end(failed(last === '' ? how : `${how}: ${last}`))
    })
  })
}

async function call(
  { url, secret }: NonNullable<NotificationReceiver['webhook']>,
  body: string,
  { clock, environment, fetch }: Reach,
  signal: AbortSignal,
): Promise<DeliveryResult> {
  const headers: Record<string, string> = {
    'content-type': 'application/json',
    'user-agent': 'claude-agents',
  }
  if (secret) {
    const key = await readSecret(secret, environment)
    if ('problem' in key) return { outcome: 'unusable', said: key.problem }
    headers['x-claude-agents-signature'] = signature(body, key.value, clock.now())
  }
  try {
    const answer = await fetch(url, { method: 'POST', headers, body, redirect: 'manual', signal })
    await answer.body?.cancel()
    const { status } = answer
    const said = `HTTP ${status}`
    if (answer.ok) return { outcome: 'delivered', said }
    if (status >= 500 || status === 429) return failed(said)
    const isElsewhere = status >= 300 && status < 400
    return { outcome: 'refused', said: isElsewhere ? `${said}: redirects are not followed` : said }
  } catch (error) {
    const { code } = ((error as Error).cause ?? error) as { code?: unknown }
    return failed(`no answer (${typeof code === 'string' ? code : (error as Error).name})`)
  }
}

/** `t=<seconds since the epoch>,v1=<hex>`: HMAC-SHA256 of `<t>.<body>`, so that an old request cannot be sent again. */
export function signature(body: string, secret: string, now: number): string {
  const seconds = Math.floor(now / 1000)
  return `t=${seconds},v1=${createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex')}`
}

async function readSecret(
  { env, file = '' }: SecretReference,
  environment: Reach['environment'],
): Promise<{ readonly value: string } | { readonly problem: string }> {
  const missing =
    env === undefined ? `its secret cannot be read from ${file}` : `the variable ${env} is not set`
  const value =
    env === undefined ? await readPlainFile(file).then(String, () => '') : (environment[env] ?? '')
  return value.trim() === '' ? { problem: missing } : { value: value.trim() }
}

/** What keeps a receiver from being notified, as far as can be said without notifying it; null if nothing does. */
export async function problemWith(
  { command, webhook }: NotificationReceiver,
  environment: Reach['environment'] = process.env,
): Promise<string | null> {
  if (webhook?.secret) {
    const key = await readSecret(webhook.secret, environment)
    return 'problem' in key ? key.problem : null
  }
  const program = command?.[0]
  if (program === undefined) return null
  const paths = program.includes('/') ? [resolve(program)] : onPath(program, environment.PATH)
  for (const path of paths) if (await isExecutable(path)) return null
  return `there is no program ${program}`
}
