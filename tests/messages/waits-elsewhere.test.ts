/** Who waits for whom, read in the log. */
import { expect, test } from 'vitest'
import { waitsInLog } from '../../src/messages/waits-elsewhere.ts'

/** An agent as the log has it, asked by others. */
const askedBy = (askers: readonly string[]) => ({
  snapshot: { context: { current: null, queue: askers.map((asker) => ({ askers: [asker] })) } },
})

test('One that waits is found among however many wait for the same agent', async () => {
  const askers = Array.from({ length: 100 }, (_, index) => `a${index}`)
  const agent = async (id: string) => askedBy(id === 'librarian' ? askers : id === 'a0' ? ['writer'] : [])
  for (const start of ['a0', 'a99'])
    expect(await waitsInLog(agent as never, start, 'librarian')).toEqual([start, 'librarian'])
  expect(await waitsInLog(agent as never, 'writer', 'librarian')).toEqual(['writer', 'a0', 'librarian'])
  expect(await waitsInLog(agent as never, 'critic', 'librarian')).toBeUndefined()
})
