/** Every error of this package, made from sample details. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { ClaudeAgentError, type ErrorOptions } from '../../src/events/errors/base.ts'

export type AnyErrorClass = new (details: object, options?: ErrorOptions) => ClaudeAgentError

const FOLDER = join(import.meta.dirname, '../../src/events/errors')

/** Details for any error: each class uses its own part. */
const DETAILS = {
  ...{ agent: 'writer', nearest: null, mailbox: 3, maxAgents: 4, taskId: 't1', runId: 'r1', by: 'ann' },
  ...{ reason: 'approval', message: 'It waits.', hint: 'Wait.', tasks: 2, paused: true, status: 'succeeded' },
  ...{
    stream: 'agent/writer',
    expected: 4,
    actual: 5,
    found: 6,
    known: 7,
    position: 8,
    version: 9,
    last: 10,
  },
  ...{ time: '2026-01-01', first: '2026-01-02', step: '11', steps: 12, type: 'TaskAsked', v: 13 },
  ...{
    machine: 'quota',
    state: 'open',
    construct: 'after',
    what: 'agent',
    end: 'claude-agents workflow cancel r1',
    id: '-',
    rule: 'a letter',
  },
  ...{ path: '/store', file: 'log/000001.log', line: 14, key: 'e!15', sha256: 'abc', bytes: 16, limit: 17 },
  ...{ attempts: 18, pid: 19, port: 20, code: 'EACCES', url: 'https://a/b', limitMs: 21, limitedBy: 'files' },
  ...{ kind: 'file', source: '/a', supervisor: 'top', child: 'a', command: 'deleteChild', where: 'a' },
  ...{ commitId: 'commit-1', commit: '1f0c', entry: 'dev-3f9a2c71', schedule: 'news' },
  ...{ to: 'critic', messageId: 'm1', messages: 24, longest: 25, waiting: ['a', 'b'], deepest: 26 },
  ...{ restarts: 22, withinMs: 23, remedy: '', said: 'so', problem: 'network' },
  ...{ worker: 'one', address: '10.0.0.1:7600', release: '0.1.0', protocol: 2, topic: 'news', note: 'plan' },
}

const SPECIAL: Readonly<Record<string, object>> = {
  ConfigError: [{ place: 'a.yaml:1:1', problem: 'this must be text', hint: '' }],
  ConfigNotTrustedError: {
    file: '/a.yaml',
    hasChanged: true,
    problems: [{ place: 'a.yaml:1:1', problem: 'it grants tools to all agents', hint: '' }],
  },
  IdNotFoundError: { id: 'r1', kinds: ['task', 'run'], nearest: null },
  AmbiguousIdError: { id: 'r1', found: ['run/r1', 'task/r1 of agent a'] },
  NotEndedError: { what: 'Run r1', seconds: 5, reason: null },
  OtherRunnerError: { path: '/store', pid: 19, runner: 'claude', simulate: true },
  InputChangedError: { target: 'proj', changes: 'edited a.txt' },
  HeldTasksError: { agent: 'writer', held: [{ message: 'It waits.', hint: 'Wait' }] },
  UnlandedWorkError: {
    ...{ agent: 'writer', repository: '/repo', branch: 'claude-agents/writer', commits: 2, files: 1 },
    ...{ problem: undefined },
  },
  InboxEntryGoneError: { id: 'task:writer:t1', became: 'it was approved by ann' },
  InboxDecisionError: {
    ...{ id: 'run:r1', problem: 'needs more than an approval', command: 'claude-agents serve' },
  },
  ChildNotFoundError: { ...DETAILS, known: ['b'] },
  NoWorkerError: { agent: 'trainer', requires: ['gpu'] },
}

const modules = await Promise.all(
  readdirSync(FOLDER).map((file) => import(join(FOLDER, file)) as Promise<Record<string, unknown>>),
)
/** Base classes, and the class for recorded errors, have no tag of their own. */
const NO_TAG = ['ClaudeAgentError', 'ClaudeExecutionError', 'RecordedError']
export const classes = modules.flatMap((module) =>
  Object.entries(module).filter(
    (entry): entry is [string, AnyErrorClass] =>
      typeof entry[1] === 'function' &&
      entry[1].prototype instanceof ClaudeAgentError &&
      !NO_TAG.includes(entry[0]),
  ),
)
export function made(name: string, ErrorClass: AnyErrorClass, details: object = {}) {
  const given = SPECIAL[name] ?? DETAILS
  return new ErrorClass(Array.isArray(given) ? given : { ...given, ...details }, { cause: 'why' })
}
