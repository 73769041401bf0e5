/** `doctor`: whether everything is there that is needed, and how to mend what is not. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ConfigError } from '../events/errors/config.ts'
import { Orchestrator } from '../orchestrator.ts'
import { completeOptions, type GivenOptions, type GlobalOptions } from './global-options.ts'
import { openRunner } from './runner.ts'
import { type Check, diagnose } from './setup/diagnosis.ts'
import { inert, type Terminal, terminal } from './terminal.ts'

export async function doctor(given: GivenOptions, { live = false }: { live?: boolean }): Promise<void> {
  const screen = terminal({ json: given.json ?? false, color: given.color })
  const { globals, check } = await configuration(given)
  let hasFailed = check.status === 'failed'
  print(screen, check)
  const checks = diagnose({
    baseDir: globals.baseDir,
    ...(globals.claude === undefined ? {} : { claudePath: globals.claude }),
    simulated: globals.simulate,
    ...(live ? { roundTrip: () => roundTrip(globals, screen) } : {}),
  })
  for await (const one of checks) {
    hasFailed ||= one.status === 'failed'
    print(screen, one)
  }
  if (hasFailed) process.exitCode = 1
}

/** With a file that cannot be used the rest is looked at as if there were none. */
async function configuration(given: GivenOptions): Promise<{ globals: GlobalOptions; check: Check }> {
  const name = 'configuration'
  try {
    const globals = await completeOptions(given)
    const message = globals.config.file ?? 'no file here or above; the defaults count'
    return { globals, check: { name, status: 'ok', message, fix: '' } }
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    const globals = await completeOptions({ ...given, config: '/dev/null' })
    const fix = error.hint || 'Look at each place, then: claude-agents config validate'
    return { globals, check: { name, status: 'failed', message: error.summary, fix } }
  }
}

/** An agent of its own, in a directory of its own: nothing of the user's is touched. */
async function roundTrip(globals: GlobalOptions, screen: Terminal): Promise<string> {
  const baseDir = await mkdtemp(join(tmpdir(), 'claude-agents-doctor-'))
  try {
    await using opened = await openRunner(globals, screen)
    await using orchestrator = await Orchestrator.open({ baseDir, runner: opened.runner })
    const systemPrompt = 'You answer with one word.'
    await orchestrator.createAgent({ id: 'doctor', systemPrompt, maxTurns: 1, retry: { attempts: 0 } })
    return await orchestrator.sendTask('doctor', 'Say: ready')
  } finally {
    await rm(baseDir, { recursive: true, force: true })
  }
}

const MARKS = { ok: ['green', '✓'], warning: ['yellow', '!'], failed: ['red', '✗'] } as const

function print(screen: Terminal, check: Check): void {
  if (screen.json) {
    screen.value(check)
    return
  }
  const { name, status, message, fix } = check
  const [colour, mark] = MARKS[status]
  screen.line(`${screen.style(colour, mark)} ${name.padEnd(14)} ${inert(message)}`)
  if (fix !== '') screen.line(`  ${' '.repeat(14)} ${screen.style('dim', inert(fix))}`)
}
