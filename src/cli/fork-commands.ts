/** `fork` and `rerun`: going on from a moment of the past. */
import { spawnSync } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TaskInput } from '../events/task-input.ts'
import { printReply } from './ask-command.ts'
import { type GlobalOptions, hasStore } from './global-options.ts'
import { withSession } from './session.ts'

export interface ForkCommandOptions {
  readonly at?: string
  readonly as?: string
  readonly run?: string
}

export async function fork(
  globals: GlobalOptions,
  agent: string | undefined,
  { at, as, run }: ForkCommandOptions,
): Promise<void> {
  const { AgentNotFoundError } = await import('../events/errors/agent.ts')
  const { InvalidInputError } = await import('../events/errors/usage.ts')
  const { RunNotFoundError } = await import('../events/errors/run.ts')
  const usage = (what: string, problem: string) =>
    new InvalidInputError({
      what,
      problem,
      hint: 'claude-agents fork AGENT --at VERSION --as NEW, or claude-agents fork --run RUN --at STEP --as NEW',
    })
  if (run !== undefined) {
    if (agent !== undefined) throw usage('An agent and a run', 'only one can be forked at a time')
    if (at === undefined) throw usage('--at', 'the step is missing')
    if (!hasStore(globals)) throw new RunNotFoundError({ runId: run })
    return forkRun(globals, run, at, as)
  }
  if (agent === undefined) throw usage('What is to be forked', 'neither an agent nor a run is named')
  if (as === undefined) throw usage('--as', 'the id of the new agent is missing')
  if (at !== undefined && !/^\d{1,15}$/.test(at))
    throw usage('--at', `${JSON.stringify(at)} is not a version, a whole number`)
  if (!hasStore(globals)) throw new AgentNotFoundError({ agent, nearest: null })
  return withSession(globals, async ({ orchestrator, terminal }) => {
    const made = await orchestrator.fork(agent, { as, ...(at === undefined ? {} : { at: Number(at) }) })
    const { session, config } = made.snapshot.context
    const forked = { agent, version: at === undefined ? null : Number(at), sessionId: session }
    if (terminal.json) return terminal.value({ id: as, forkedFrom: forked, model: config?.model ?? null })
    const where = at === undefined ? 'as it is now' : `at version ${at}`
    terminal.line(`Forked ${as} off ${agent} ${where}. It has a workspace of its own, which is empty.`)
    terminal.note(`Ask it something: claude-agents agent ask ${as} "..."`)
  })
}

function forkRun(globals: GlobalOptions, run: string, at: string, as: string | undefined): Promise<void> {
  return withSession(globals, async ({ orchestrator, terminal }) => {
    const forked = await orchestrator.runs.fork(run, { at, ...(as === undefined ? {} : { as }) })
    if (terminal.json) return terminal.value(forked)
    const { runId, carried } = forked
    terminal.line(`Forked run ${runId} off ${run}; ${carried.length} answers were taken over.`)
    terminal.note(`Go on with it: claude-agents workflow resume ${runId}`)
  })
}

export async function rerun(
  globals: GlobalOptions,
  taskId: string,
  { edit = false }: { readonly edit?: boolean },
): Promise<void> {
  const { pastTask } = await import('../history/past-task.ts')
  const { TaskNotFoundError } = await import('../events/errors/history.ts')
  if (!hasStore(globals)) throw new TaskNotFoundError({ taskId })
  const prompt = edit ? await editedPrompt(globals, taskId) : undefined
  return withSession(globals, async (session) => {
    const {
      agent,
      input,
      outputSchema,
      session: kind,
      factId,
    } = await pastTask(session.orchestrator.store, taskId)
    const task: TaskInput = prompt === undefined ? input : { ...input, prompt }
    const newId = crypto.randomUUID()
    await printReply(session, agent, task, {
      taskId: newId,
      session: kind,
      ...(outputSchema === undefined ? {} : { outputSchema }),
      origin: { correlationId: newId, causationId: factId },
    })
  })
}

/** With the store closed: others must be able to use it as long as the editor is open. */
async function editedPrompt(globals: GlobalOptions, taskId: string): Promise<string> {
  const editor = await editorCommand()
  const { pastTask } = await import('../history/past-task.ts')
  let before = ''
  await withSession(globals, async ({ orchestrator }) => {
    before = (await pastTask(orchestrator.store, taskId)).input.prompt
  })
  return edited(editor, before)
}

async function editorCommand(): Promise<string> {
  const editor = process.env.VISUAL || process.env.EDITOR
  if (editor) return editor
  const { InvalidInputError } = await import('../events/errors/usage.ts')
  const hint = 'Set it: EDITOR=nano claude-agents rerun TASK --edit'
  throw new InvalidInputError({ what: '--edit', problem: 'neither VISUAL nor EDITOR names an editor', hint })
}

/** The prompt as it was saved. Left empty, nothing is asked. */
async function edited(editor: string, prompt: string): Promise<string> {
  const { InvalidInputError } = await import('../events/errors/usage.ts')
  const folder = await mkdtemp(join(tmpdir(), 'claude-agents-'))
  try {
    const file = join(folder, 'PROMPT.md')
    await writeFile(file, prompt, { mode: 0o600 })
    // As git does it: what EDITOR says may hold arguments, so it is the shell's to read.
    const { status, error } = spawnSync('sh', ['-c', `${editor} "$1"`, editor, file], { stdio: 'inherit' })
    if (error || status !== 0)
      throw new InvalidInputError({
        what: '--edit',
        problem: `the editor ended with ${error?.message ?? status}`,
      })
    const text = await readFile(file, 'utf8')
    if (text.trim() === '') throw new InvalidInputError({ what: 'The prompt', problem: 'it was left empty' })
    return text.replace(/\n$/, '')
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
