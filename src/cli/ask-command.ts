/** `agent ask`: the answer on stdout as it comes, what goes on beside it on stderr. */
import { readFile } from 'node:fs/promises'
import { text as readAll } from 'node:stream/consumers'
import type { TaskHandle } from '../actors/agent/tasks/handle.ts'
import type { AskOptions } from '../actors/agent/tasks/tasks.ts'
import type { CallMessage } from '../claude/runner.ts'
import type { TaskInput } from '../events/task-input.ts'
import type { GlobalOptions } from './global-options.ts'
import { markdownStream } from './markdown-stream.ts'
import { type Session, withSession } from './session.ts'
import { inert, type Terminal } from './terminal.ts'

export interface AskCommandOptions {
  readonly text?: string
  readonly file?: NonNullable<TaskInput['files']>
  readonly folder?: NonNullable<TaskInput['folders']>
  readonly repo?: NonNullable<TaskInput['repos']>
  readonly taskId?: string
  readonly approval?: boolean | string
}

export async function ask(globals: GlobalOptions, id: string, prompt: string, options: AskCommandOptions) {
  const input = await readInput(prompt, options)
  const { taskId, approval } = options
  return withSession(globals, (session) =>
    printReply(session, id, input, {
      ...(taskId === undefined ? {} : { taskId }),
      ...(approval === undefined ? {} : { approval }),
    }),
  )
}

/** Asks, and prints the answer as it comes. */
export async function printReply(
  { orchestrator, terminal, signal }: Session,
  id: string,
  input: TaskInput,
  options: AskOptions,
): Promise<void> {
  const { TaskHeldError } = await import('../events/errors/hold.ts')
  const agent = await orchestrator.agent(id)
  // Nobody knows how long it would wait: it is kept, and whoever asked is told how it goes on.
  let leave: (error: Error) => void = () => {}
  const held = new Promise<never>((_, reject) => {
    leave = reject
  })
  const task = agent.ask(input, { signal, onHeld: (why) => leave(new TaskHeldError(why)), ...options })
  terminal.progress(terminal.accent('dim', `${id} works on task ${task.taskId} (Ctrl-C cancels it)`))
  await Promise.race([follow(terminal, task), held])
}

async function follow(terminal: Terminal, task: TaskHandle): Promise<void> {
  const markdown = markdownStream(terminal)
  let streamed = false
  for await (const message of task) {
    if (terminal.interactive && message.type === 'text') {
      terminal.write(markdown.take(inert(message.text)))
      streamed = true
    } else note(terminal, message)
  }
  const reply = await task
  if (terminal.json) return terminal.value(reply)
  terminal.line(streamed ? markdown.end() : inert(reply.text))
  const { attempts, costUsd, usage } = reply
  const calls = attempts === 1 ? '' : `, ${attempts} calls`
  const tokens = usage.inputTokens + usage.outputTokens
  terminal.progress(terminal.accent('dim', `${tokens} tokens, $${costUsd.toFixed(4)}${calls}`))
}

async function readInput(
  prompt: string,
  { text, file, folder, repo }: AskCommandOptions,
): Promise<TaskInput> {
  return {
    prompt: prompt === '-' ? await readAll(process.stdin) : prompt,
    ...(text === undefined ? {} : { textInput: await readText(text) }),
    ...(file === undefined ? {} : { files: file }),
    ...(folder === undefined ? {} : { folders: folder }),
    ...(repo === undefined ? {} : { repos: repo }),
  }
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (cause) {
    const { InvalidInputError } = await import('../events/errors/usage.ts')
    throw new InvalidInputError({ what: `--text ${file}`, problem: 'the file cannot be read' }, { cause })
  }
}

function note(terminal: Terminal, message: CallMessage): void {
  if (message.type === 'tool') terminal.progress(terminal.accent('dim', `uses ${inert(message.name)}`))
  if (message.type === 'retry') {
    const { attempt, maxAttempts, delayMs, problem } = message
    terminal.progress(
      terminal.accent(
        'yellow',
        `claude tries again (${attempt} of ${maxAttempts}) in ${(delayMs / 1000).toFixed(1)} s: ${inert(problem)}`,
      ),
    )
  }
  if (message.type === 'warning') terminal.progress(terminal.accent('yellow', inert(message.message)))
}
