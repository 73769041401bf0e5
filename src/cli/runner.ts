/** What answers the agents of a command: the user's `claude`, with the real model or a simulated one. */
import type { AgentRunner } from '../claude/runner.ts'
import type { Logger } from '../logger.ts'
import { commandLogger } from './command-logger.ts'
import type { GlobalOptions } from './global-options.ts'
import type { Terminal } from './terminal.ts'

export interface OpenedRunner extends AsyncDisposable {
  readonly runner: AgentRunner
  readonly logger: Logger
}

/** To be disposed of after the orchestrator: the model outlives the calls to it. */
export async function openRunner(options: GlobalOptions, screen: Terminal): Promise<OpenedRunner> {
  const { claudeCli } = await import('../claude/claude-cli.ts')
  const logger = await commandLogger(options)
  const model = options.simulate ? await simulate(screen) : undefined
  const { callsInFlight, processStarts } = options.config.limits ?? {}
  const runner = claudeCli({
    logger,
    ...(callsInFlight === undefined ? {} : { maxProcesses: callsInFlight }),
    ...(processStarts === undefined ? {} : { maxStarts: processStarts }),
    ...(options.claude === undefined ? {} : { path: options.claude }),
    ...(model === undefined ? {} : { environment: model.environment }),
  })
  return {
    runner,
    logger,
    async [Symbol.asyncDispose]() {
      await model?.[Symbol.asyncDispose]()
    },
  }
}

async function simulate(screen: Terminal) {
  const { simulatedModel } = await import('../testing/model/simulated-model.ts')
  const model = await simulatedModel()
  screen.note(
    screen.accent('yellow', `simulated: claude talks to a made-up model at ${model.url}, not to Anthropic`),
  )
  return model
}
