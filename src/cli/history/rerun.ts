/** `rerun`: asks a past task again as a new one, with its prompt edited if wanted. */
import type { Command } from 'commander'
import { TaskNotFoundError } from '../../events/errors/history.ts'
import { defined } from '../../events/json.ts'
import type { TaskInput } from '../../events/task-input.ts'
import { type PastTask, pastTask } from '../../history/past-task.ts'
import { printReply } from '../agent/ask.ts'
import { hasStore } from '../existing-store.ts'
import { type GlobalOptions, withGlobals } from '../global-options.ts'
import { targetNamed } from '../live/target.ts'
import { type Session, withSession } from '../session.ts'
import { edited, editorCommand } from '../terminal/editor.ts'

export function rerunCommand(command: Command): void {
  command
    .argument('<task>')
    .description('ask a past task again, as a new one')
    .option('--edit', 'edit the prompt first, in $VISUAL or $EDITOR')
    .option('--agent <id>', 'agent of the task, if several agents have one with this id')
    .action(withGlobals(rerun))
}

async function rerun(
  globals: GlobalOptions,
  word: string,
  { edit = false, agent: of }: { readonly edit?: boolean; readonly agent?: string },
): Promise<void> {
  if (!hasStore(globals)) throw new TaskNotFoundError({ taskId: word })
  const past = async ({ orchestrator: { store } }: Session) => {
    const { agent, taskId } = await targetNamed(store, word, ['task'], of)
    return pastTask(store, taskId, agent)
  }
  const prompt = edit ? await editedPrompt(globals, past) : undefined
  await withSession(globals, async (session) => {
    const { agent, input, outputSchema, session: kind, continues, factId } = await past(session)
    const task: TaskInput = prompt === undefined ? input : { ...input, prompt }
    const newId = crypto.randomUUID()
    const origin = { correlationId: newId, causationId: factId, ...defined({ continues }) }
    await printReply(session, agent, task, defined({ taskId: newId, session: kind, outputSchema, origin }))
  })
}

/** Edited while the store is closed, so that other processes can use it as long as the editor is open. */
async function editedPrompt(
  globals: GlobalOptions,
  past: (session: Session) => Promise<PastTask>,
): Promise<string> {
  const editor = editorCommand('--edit')
  let before = ''
  await withSession(globals, async (session) => {
    before = (await past(session)).input.prompt
  })
  return edited(editor, { what: 'The prompt', file: 'PROMPT.md', text: before })
}
