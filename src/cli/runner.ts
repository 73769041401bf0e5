/** The runner of a command: the user's `claude`, with the real model or a simulated one. */

import type { AgentRunner } from '../claude/runner.ts'
import { defined } from '../events/json.ts'
import type { Logger } from '../logger.ts'
import type { GlobalOptions } from './global-options.ts'
import { commandLogger } from './logger.ts'
import type { Terminal } from './terminal/output.ts'

export interface OpenedRunner extends AsyncDisposable {
  readonly runner: AgentRunner
  readonly logger: Logger
}

/** Dispose of it after the orchestrator: the simulated model must outlive the calls. */
export async function openRunner(options: GlobalOptions, screen: Terminal): Promise<OpenedRunner> {
  const { claudeCli } = await import('../claude/claude-cli.ts')
  const logger = await commandLogger(options)
  const model = options.simulate ? await startSimulation(screen) : undefined
  const { callsInFlight, processStarts } = options.config.limits ?? {}
  const runner = claudeCli(
    defined({
      logger,
      maxProcesses: callsInFlight,
      maxStarts: processStarts,
      path: options.claude,
      environment: model?.environment,
      simulated: options.simulate,
    }),
  )
  return {
    runner,
    logger,
    async [Symbol.asyncDispose]() {
      await model?.[Symbol.asyncDispose]()
    },
  }
}

/** A model that is simulated in this process. */
export async function startSimulation(screen: Terminal) {
  const { simulatedModel } = await import('../testing/model/simulated-model.ts')
  const model = await simulatedModel()
  screen.note(screen.accent('yellow', `simulated: claude talks to a model at ${model.url}, not to Anthropic`))
  return model
}
