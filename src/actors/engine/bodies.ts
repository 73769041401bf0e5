/** The texts of facts: short ones are part of the fact, long ones are blobs beside the log. */
import { BodyDropped } from '../../events/errors/archive.ts'
import { type Body, LARGEST_INLINE_BODY } from '../../events/task-input.ts'
import type { EventStore } from '../../store/event-store.ts'
import { mayPass } from './wish.ts'

export interface Bodies {
  /** A text that is short enough is the body itself, and need not be written. */
  isShort(text: string): boolean
  write(text: string): Promise<Body>
  /** For a text that was paid for: as `write`, or else in the fact itself, if no blob can be written. */
  keep(text: string): Promise<Body>
  /** Throws {@link BodyDropped} if only the hash is left. */
  read(body: Body): Promise<string>
}

export function bodiesIn({ blobs }: EventStore): Bodies {
  // UTF-8 takes at most three bytes per UTF-16 unit: only a text that may be too long is measured.
  const isShort = (text: string) =>
    text.length * 3 <= LARGEST_INLINE_BODY || Buffer.byteLength(text) <= LARGEST_INLINE_BODY
  const write = async (text: string) => (isShort(text) ? text : blobs.put(text))
  return {
    isShort,
    write,
    async keep(text) {
      try {
        return isShort(text) ? text : await blobs.put(text)
      } catch (error) {
        if (mayPass(error)) throw error
        return text
      }
    },
    async read(body) {
      if (typeof body === 'string') return body
      if ('dropped' in body) throw new BodyDropped({ sha256: body.sha256, bytes: body.bytes })
      return blobs.get(body)
    },
  }
}
