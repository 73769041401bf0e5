/** `doctor`: checks the setup and explains how to fix problems. */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Command } from 'commander'
import { ConfigError, ConfigNotTrustedError } from '../../events/errors/config.ts'
import { defined } from '../../events/json.ts'
import { Orchestrator } from '../../orchestrator.ts'
import { completeOptions, type GivenOptions, type GlobalOptions, withGiven } from '../global-options.ts'
import { openRunner } from '../runner.ts'
import { type Terminal, terminal } from '../terminal/output.ts'
import { asTyped } from '../terminal/own-name.ts'
import { inert } from '../terminal/text.ts'
import { type Check, diagnose } from './diagnosis.ts'

export function doctorCommand(command: Command): void {
  command
    .option('--live', 'also ask the model something, which costs a fraction of a cent')
    .action(withGiven(doctor))
}

async function doctor(given: GivenOptions, { live = false }: { live?: boolean }): Promise<void> {
  const screen = terminal(given)
  const { globals, check } = await configuration(given)
  let hasFailed = check.status === 'failed'
  print(screen, check)
  const checks = diagnose({
    baseDir: globals.baseDir,
    ...defined({ claudePath: globals.claude, notify: globals.config.notify }),
    simulated: globals.simulate,
    ...defined({ database: globals.database }),
    ...(live ? { roundTrip: () => roundTrip(globals, screen) } : {}),
  })
  for await (const one of checks) {
    hasFailed ||= one.status === 'failed'
    print(screen, one)
  }
  if (hasFailed) process.exitCode = 1
}

/** When the file is unusable, everything else is checked as if there were none. */
async function configuration(given: GivenOptions): Promise<{ globals: GlobalOptions; check: Check }> {
  const name = 'configuration'
  try {
    const globals = await completeOptions(given)
    const message = globals.config.file ?? 'no file here or in a parent directory; using the defaults'
    return { globals, check: { name, status: 'ok', message, fix: '' } }
  } catch (error) {
    if (!(error instanceof ConfigError || error instanceof ConfigNotTrustedError)) throw error
    const globals = await completeOptions({ ...given, config: '/dev/null' })
    const fix = error.hint || 'Fix each of these, then: claude-agents config validate'
    return { globals, check: { name, status: 'failed', message: error.summary, fix } }
  }
}

/** Asks an agent of its own in a directory of its own, so that nothing of the user's is touched. */
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
  if (fix !== '') screen.line(`  ${' '.repeat(14)} ${screen.style('dim', inert(asTyped(fix)))}`)
}
