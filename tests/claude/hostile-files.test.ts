/** What an agent can put in the place of its files: a paid result is read all the same, and nothing waits for a pipe. */
import { execFileSync } from 'node:child_process'
import { mkdir, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { claudeCli } from '../../src/claude/claude-cli.ts'
import type { Call } from '../../src/claude/runner.ts'
import { removeDirectories } from '../../src/workspaces/lifecycle.ts'
import { few } from '../repetitions.ts'
import { collect, testAgent } from './calls.ts'

const FAKE = join(import.meta.dirname, 'fixtures/fake-claude.sh')
const runner = claudeCli({ path: FAKE })

/** What may be there instead of a file. */
const PLANTED: Readonly<Record<string, (path: string) => Promise<unknown>>> = {
  'a pipe': async (path) => execFileSync('mkfifo', [path]),
  'a directory': (path) => mkdir(join(path, 'full'), { recursive: true }),
  'a link to itself': (path) => symlink(path, path),
  'a link to a device that never ends': (path) => symlink('/dev/zero', path),
  'a file of a gigabyte': async (path) => {
    await writeFile(path, '')
    await truncate(path, 2 ** 30)
  },
}

async function plant(what: string, path: string): Promise<void> {
  await rm(path, { recursive: true, force: true })
  await mkdir(dirname(path), { recursive: true })
  await PLANTED[what]?.(path)
}

const transcript = ({ directories }: Call, session: string) =>
  join(directories.home, '.claude/projects/project', `${session}.jsonl`)

const PLACES: Readonly<Record<string, (call: Call) => string>> = {
  'the transcript of the call': (call) => transcript(call, call.sessionId),
  'the transcripts': ({ directories }) => join(directories.home, '.claude/projects'),
  'the transcripts of a project': ({ directories }) => join(directories.home, '.claude/projects/project'),
  'the transcript of another session': (call) => transcript(call, 'another'),
  'answers.ndjson': ({ directories }) => join(directories.home, 'answers.ndjson'),
  'system-prompt.md': ({ directories }) => join(directories.home, 'system-prompt.md'),
  'the output of calls': ({ directories }) => join(directories.home, 'calls'),
  'an output of an earlier call': ({ directories }) => join(directories.home, 'calls/earlier.stdout'),
  'the temporary files': ({ directories }) => join(directories.home, 'tmp'),
}

/** Everything in place of everything; the first ones have each place once, and all that may be there. */
const every = Object.keys(PLANTED).flatMap((_, shift, planted) =>
  Object.keys(PLACES).map((place, at) => [planted[(at + shift) % planted.length] ?? '', place] as const),
)

test.each(few(Object.keys(PLACES).length, every))(
  '%s in place of %s costs no answer, and is removed with the agent',
  async (what, place) => {
    const agent = await testAgent()
    const call = agent.call('answer')
    await plant(what, PLACES[place]?.(call) ?? '')
    const { result, error } = await collect(runner, call)
    expect(error).toBeNull()
    expect(result?.text).toBe('fine')
    await removeDirectories(agent.directories)
  },
)

test.each(Object.keys(PLANTED))(
  '%s in place of the output, planted while the call runs, costs no answer',
  async (what) => {
    const agent = await testAgent()
    const call = agent.call('answer')
    const { result, error } = await collect(runner, call, {
      // The prompt is sent afterwards.
      onMessage: async (message) => {
        if (message.type !== 'process') return
        for (const output of ['stdout', 'stderr'])
          await plant(what, join(agent.directories.home, `calls/${call.callId}.${output}`))
      },
    })
    expect(error).toBeNull()
    expect(result?.text).toBe('fine')
  },
)

test.each(Object.keys(PLANTED))(
  '%s in place of the transcript to continue: the session counts as lost',
  async (what) => {
    const agent = await testAgent()
    const parent = 'b2b1f9c4-0000-4000-8000-000000000000'
    const call = agent.call('answer', { parentSessionId: parent })
    await plant(what, transcript(call, parent))
    const { error } = await collect(runner, call)
    expect(error).toMatchObject({ _tag: 'SessionNotFoundError' })
  },
)

test.each(Object.keys(PLANTED))(
  '%s in place of what recovery reads: the outcome is unknown, and nothing waits',
  async (what) => {
    const agent = await testAgent()
    const call = agent.call('answer')
    await plant(what, transcript(call, call.sessionId))
    await plant(what, join(agent.directories.home, `calls/${call.callId}.stdout`))
    const signal = new AbortController().signal
    expect(await runner.recover(call, { process: null, signal })).toEqual({ outcome: 'unanswered' })
  },
)
