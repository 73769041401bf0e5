/** `dead-letters`: answers that were paid for and that nobody was given. */
import { noteNoStore } from './agent-commands.ts'
import { type GlobalOptions, hasStore } from './global-options.ts'
import { withSession } from './session.ts'
import { inert } from './terminal.ts'

export async function deadLetters(globals: GlobalOptions, options: { readonly agent?: string }) {
  if (!hasStore(globals)) return noteNoStore(globals)
  return withSession(globals, async ({ orchestrator, terminal }) => {
    const letters = await orchestrator.lateAnswers(options)
    if (terminal.json) {
      for (const letter of letters) terminal.value(letter)
      return
    }
    if (letters.length === 0) return terminal.note('No answer came too late.')
    for (const { at, agent, taskId, costUsd, text } of letters) {
      const head = terminal.style('dim', `${at}  ${agent}  task ${taskId}  $${costUsd.toFixed(4)}`)
      terminal.line(`${head}\n${inert(text)}`)
    }
  })
}
