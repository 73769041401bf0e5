/** `rerun`: asks a past task again as a new one, with its prompt edited if wanted. */

import { spawnSync } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Command } from 'commander'
import { TaskNotFoundError } from '../../events/errors/history.ts'
import { InvalidInputError } from '../../events/errors/usage.ts'
import { defined } from '../../events/json.ts'
import type { TaskInput } from '../../events/task-input.ts'
import { pastTask } from '../../history/past-task.ts'
import { printReply } from '../agent/ask.ts'
import { hasStore } from '../existing-store.ts'
import { type GlobalOptions, withGlobals } from '../global-options.ts'
import { withSession } from '../session.ts'

export function rerunCommand(command: Command): void {
  command
    .argument('<task>')
    .description('ask a past task again, as a new one')
    .option('--edit', 'edit the prompt first, in $VISUAL or $EDITOR')
    .action(withGlobals(rerun))
}

async function rerun(
  globals: GlobalOptions,
  taskId: string,
  { edit = false }: { readonly edit?: boolean },
): Promise<void> {
  if (!hasStore(globals)) throw new TaskNotFoundError({ taskId })
  const prompt = edit ? await editedPrompt(globals, taskId) : undefined
  await withSession(globals, async (session) => {
    const {
      agent,
      input,
      outputSchema,
      session: kind,
      continues,
      factId,
    } = await pastTask(session.orchestrator.store, taskId)
    const task: TaskInput = prompt === undefined ? input : { ...input, prompt }
    const newId = crypto.randomUUID()
    const origin = { correlationId: newId, causationId: factId, ...defined({ continues }) }
    await printReply(session, agent, task, defined({ taskId: newId, session: kind, outputSchema, origin }))
  })
}

/** Edited while the store is closed, so that other processes can use it as long as the editor is open. */
async function editedPrompt(globals: GlobalOptions, taskId: string): Promise<string> {
  const editor = editorCommand()
  let before = ''
  await withSession(globals, async ({ orchestrator }) => {
    before = (await pastTask(orchestrator.store, taskId)).input.prompt
  })
  return edited(editor, before)
}

function editorCommand(): string {
  const editor = process.env.VISUAL || process.env.EDITOR
  if (editor) return editor
  const hint = 'Set it: EDITOR=nano claude-agents rerun TASK --edit'
  throw new InvalidInputError({ what: '--edit', problem: 'neither VISUAL nor EDITOR names an editor', hint })
}

/** The prompt as it was saved. An empty one is refused. */
async function edited(editor: string, prompt: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'claude-agents-'))
  try {
    const file = join(folder, 'PROMPT.md')
    await writeFile(file, prompt, { mode: 0o600 })
    // EDITOR may contain arguments, so the shell reads it, as with git.
    const { status, error } = spawnSync('sh', ['-c', `${editor} "$1"`, editor, file], { stdio: 'inherit' })
    if (error || status !== 0)
      throw new InvalidInputError({
        what: '--edit',
        problem: `the editor exited with ${error?.message ?? status}`,
      })
    const text = await readFile(file, 'utf8')
    if (text.trim() === '') throw new InvalidInputError({ what: 'The prompt', problem: 'it is empty' })
    return text.replace(/\n$/, '')
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
