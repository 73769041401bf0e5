/**
 * Reads only the log and the starts of calls, and says what is wrong with them. It continues where it has stopped reading: a
 * round is judged by what is new.
 */
import { readFile } from 'node:fs/promises'
import type { Recorded } from '../../../src/events/envelope.ts'
import type { EventStore } from '../../../src/store/event-store.ts'
import { query } from '../../postgres/database.ts'

/** A call that began, as its own process has noted it. */
export interface Start {
  readonly taskId: string
  readonly callId: string
  readonly worker: string
  readonly pid: number
  /** In ms since 1970. */
  readonly at: number
  /** When it had answered; undefined if it has not. */
  readonly endedAt: number | undefined
}

export async function readStarts(file: string): Promise<readonly Start[]> {
  const starts = new Map<string, Start>()
  const ends = new Map<string, number>()
  const lines = (await readFile(file, 'utf8').catch(() => '')).split('\n').filter(Boolean)
  for (const line of lines) {
    const [what, taskId = '', callId = '', worker = '', pid = '', time = ''] = line.split(' ')
    const at = Number(time) / 1000
    const key = `${callId} ${pid}`
    if (what === 'end') ends.set(key, at)
    else starts.set(key, { taskId, callId, worker, pid: Number(pid), at, endedAt: undefined })
  }
  return [...starts].map(([key, start]) => ({ ...start, endedAt: ends.get(key) }))
}

/** What the new part of the log and of the starts comes to. */
export interface Verdict {
  /** Each law that was broken. */
  readonly findings: readonly string[]
  readonly accepted: number
  readonly starts: number
  /** Starts beyond one of each task. */
  readonly extra: readonly Start[]
  /** Calls of which the log says that their outcome is unknown. */
  readonly unknown: number
}

const ENDS = new Set(['CallSucceeded', 'TaskFailed', 'TaskCancelled'])

export class Auditor {
  readonly #store: EventStore
  readonly #url: string
  readonly #startsFile: string
  #position = 0
  readonly #versions = new Map<string, number>()
  readonly #accepted = new Set<string>()
  readonly #ended = new Set<string>()
  readonly #announced = new Set<string>()
  readonly #succeeded = new Set<string>()
  readonly #unknown = new Set<string>()
  readonly #judged = new Set<Start['callId']>()
  readonly #started = new Set<Start['taskId']>()

  constructor(store: EventStore, url: string, startsFile: string) {
    this.#store = store
    this.#url = url
    this.#startsFile = startsFile
  }

  /**
   * From now on, the database notes who claims which stream from which position on: the table of claims has only the last.
   * Call it before the first agent is made.
   */
  static async watchClaims(url: string): Promise<void> {
    await query(
      url,
      `create table public.claim_history (id bigserial, stream text, token text, position bigint);
       create function public.note_claim() returns trigger language plpgsql as $$ begin
         insert into public.claim_history (stream, token, position)
           select new.stream, new.token, position from claude_agents.store;
         return new;
       end $$;
       create trigger note_claim after insert or update on claude_agents.claims
         for each row execute function public.note_claim()`,
    )
  }

  /** *Contract:* all tasks have ended. @param acknowledged The tasks of which a client was told that they are accepted. */
  async judge(acknowledged: Iterable<string>): Promise<Verdict> {
    const findings: string[] = []
    const say = (isRight: boolean, finding: string) => {
      if (!isRight) findings.push(finding)
    }
    const claims = await this.#claims()
    let accepted = 0
    let unknown = 0
    for await (const fact of this.#store.readAll({ after: this.#position })) {
      const { position, stream, version, type, data, epoch } = fact
      say(position === this.#position + 1, `a gap after position ${this.#position}`)
      this.#position = position
      say(version === (this.#versions.get(stream) ?? 0) + 1, `a gap in ${stream} before version ${version}`)
      this.#versions.set(stream, version)
      if (!stream.startsWith('agent/')) continue
      const claim = claims.get(stream)?.findLast((each) => each.position < position)
      say(
        claim?.epoch === epoch,
        `${type} at ${position} is by ${epoch}, and ${claim?.epoch} had claimed ${stream}`,
      )
      const task = `${stream} ${data.taskId}`
      if (type === 'TaskAccepted') {
        say(!this.#accepted.has(task), `${task} is accepted twice`)
        this.#accepted.add(task)
        accepted += 1
      }
      if (ENDS.has(type)) {
        say(!this.#ended.has(task), `${task} ends twice`)
        this.#ended.add(task)
      }
      if (type === 'CallOutcomeUnknown') unknown += 1
      this.#hearCall(fact)
    }
    for (const task of this.#accepted) say(this.#ended.has(task), `${task} was lost`)
    for (const task of acknowledged)
      say(this.#accepted.has(task), `${task} was acknowledged, and the log does not have it`)
    const starts = (await readStarts(this.#startsFile)).filter(({ callId }) => !this.#judged.has(callId))
    const calls = new Set<string>()
    const extra: Start[] = []
    for (const start of starts) {
      const { taskId, callId } = start
      say(!calls.has(callId), `the call ${callId} of ${taskId} began twice`)
      calls.add(callId)
      this.#judged.add(callId)
      say(this.#announced.has(callId), `the log does not have the call ${callId} of ${taskId}`)
      say(
        this.#succeeded.has(callId) || this.#unknown.has(callId),
        `the log does not say what became of the call ${callId} of ${taskId}`,
      )
      if (this.#started.has(taskId)) extra.push(start)
      this.#started.add(taskId)
    }
    return { findings, accepted, starts: starts.length, extra, unknown }
  }

  #hearCall({ type, data }: Recorded): void {
    const callId = String(data.callId)
    if (type === 'CallStarted') this.#announced.add(callId)
    if (type === 'CallSucceeded') this.#succeeded.add(callId)
    if (type === 'CallOutcomeUnknown') this.#unknown.add(callId)
  }

  async #claims() {
    const rows = await query<{ stream: string; token: string; position: string }>(
      this.#url,
      'select stream, token, position from public.claim_history order by id',
    )
    const claims = new Map<string, { readonly position: number; readonly epoch: number }[]>()
    for (const { stream, token, position } of rows)
      claims.set(stream, [
        ...(claims.get(stream) ?? []),
        { position: Number(position), epoch: Number(token.split('.')[0]) },
      ])
    return claims
  }
}
