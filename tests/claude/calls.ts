/** Shared by the tests of the adapter: temporary directories, and calls to run in them. */
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { AgentRunner, Call, CallMessage, CallResult, CallSettings } from '../../src/claude/runner.ts'
import { listTranscripts } from '../../src/claude/session/transcripts.ts'
import { INSTALLED_CLAUDE } from './installed-claude.ts'

/** The program under test: another version may be configured. See cli/quick-claude.ts for why it is not always the installed one. */
export const REAL_CLAUDE =
  process.env.CLAUDE_AGENTS_CLAUDE_PATH ?? process.env.ONCE_ASKED_CLAUDE ?? INSTALLED_CLAUDE

export interface TestAgent {
  readonly baseDir: string
  readonly directories: Call['directories']
  call(prompt: string, options?: Partial<Omit<Call, 'settings'>> & { settings?: Partial<CallSettings> }): Call
}

/** An agent with its own directories, removed after the test. */
export async function testAgent(): Promise<TestAgent> {
  const baseDir = await mkdtemp(join(tmpdir(), 'claude-agents-'))
  onTestFinished(() => rm(baseDir, { recursive: true, force: true, maxRetries: 5 }))
  const directories = {
    workspace: join(baseDir, 'agents/tester/workspace'),
    home: join(baseDir, 'agents/tester/home'),
  }
  return {
    baseDir,
    directories,
    call: (prompt, { settings, ...options } = {}) => ({
      callId: randomUUID(),
      taskId: 'task',
      agent: 'tester',
      attempt: 1,
      sessionId: randomUUID(),
      parentSessionId: null,
      prompt,
      directories,
      ...options,
      settings: { systemPrompt: 'You are a tester.', model: 'claude-sonnet-4-5', ...settings },
    }),
  }
}

export interface Collected {
  readonly messages: readonly CallMessage[]
  readonly result: CallResult | null
  readonly text: string
  readonly error: unknown
}

/** Runs a call to its end and collects its messages. `onMessage` may be slow, as a log is. */
export async function collect(
  runner: AgentRunner,
  call: Call,
  options: { signal?: AbortSignal; onMessage?: (message: CallMessage) => unknown } = {},
): Promise<Collected> {
  const messages: CallMessage[] = []
  let error: unknown = null
  try {
    for await (const message of runner.start(call, {
      signal: options.signal ?? new AbortController().signal,
    })) {
      messages.push(message)
      await options.onMessage?.(message)
    }
  } catch (thrown) {
    error = thrown
  }
  const result = messages.find((message) => message.type === 'result')?.result ?? null
  const text = messages.map((message) => (message.type === 'text' ? message.text : '')).join('')
  return { messages, result, text, error }
}

/** The path of a session's transcript; null if there is none. */
export const findTranscript = async (home: string, sessionId: string): Promise<string | null> =>
  (await listTranscripts(home)).find((file) => file.sessionId === sessionId)?.path ?? null
