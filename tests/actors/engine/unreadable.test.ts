/** Streams that cannot be folded here, because a newer release has written to them. */
import { expect, test } from 'vitest'
import { UnreadableStreams } from '../../../src/actors/engine/unreadable.ts'
import { UnknownFactError } from '../../../src/events/errors/fact.ts'
import { errorData, RecordedError } from '../../../src/events/errors/recorded.ts'
import { StoreUnavailable } from '../../../src/events/errors/store.ts'

test('each is said once, and looked at again when it has changed; other failures are those of the caller', async () => {
  const warned: unknown[] = []
  const logger = {
    debug() {},
    info() {},
    warn: ({ stream }: object & { stream?: unknown }) => warned.push(stream),
    error() {},
  }
  const streams = new UnreadableStreams(logger)
  const error = new UnknownFactError({ type: 'Teleported', v: 1, known: null, position: 7 })
  let looks = 0
  const look = (version: number, problem?: Error) =>
    streams.unless({ stream: 'run/r', version }, async () => {
      looks++
      if (problem) throw problem
    })
  // As it comes from another process.
  const told = new RecordedError(errorData(error))
  for (const version of [1, 1, 1, 2, 2]) await look(version, version === 1 ? error : told)
  expect([looks, warned]).toEqual([2, ['run/r', 'run/r']])
  await look(3)
  await look(3)
  expect(looks).toBe(4)
  const away = new StoreUnavailable({ path: 'the database', problem: 'it is away' })
  await expect(look(3, away)).rejects.toBe(away)
})
