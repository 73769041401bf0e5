/** `late-answers`: answers that arrived after their task had ended, and were paid for. */
import type { Command } from 'commander'
import { dollars } from '../../events/figures.ts'
import { type GlobalOptions, withGlobals } from '../global-options.ts'
import { readStore } from '../session.ts'
import { list } from '../terminal/list.ts'
import { inert } from '../terminal/text.ts'

export function lateAnswersCommand(command: Command): void {
  command.option('--agent <id>', 'only answers of this agent').action(withGlobals(lateAnswers))
}

function lateAnswers(globals: GlobalOptions, options: { readonly agent?: string }) {
  return readStore(globals, async ({ orchestrator, terminal }) => {
    list(terminal, await orchestrator.lateAnswers(options), 'No answer arrived too late.', (answers) =>
      answers.map(({ at, agent, taskId, costUsd, text }) => {
        const head = terminal.style('dim', `${at}  ${agent}  task ${taskId}  ${dollars(costUsd)}`)
        return `${head}\n${inert(text)}`
      }),
    )
  })
}
