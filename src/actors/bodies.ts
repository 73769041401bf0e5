/** Texts on their way into and out of facts: the long ones are kept beside the log. */
import { type Body, LARGEST_INLINE_BODY } from '../events/task-input.ts'
import type { EventStore } from '../store/event-store.ts'

export interface Bodies {
  write(text: string): Promise<Body>
  read(body: Body): Promise<string>
}

export function bodiesIn({ blobs }: EventStore): Bodies {
  return {
    write: async (text) => (Buffer.byteLength(text) > LARGEST_INLINE_BODY ? blobs.put(text) : text),
    read: async (body) => (typeof body === 'string' ? body : blobs.get(body)),
  }
}
