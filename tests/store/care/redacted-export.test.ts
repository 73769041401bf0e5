/** A redacted export contains no text: neither of facts nor of the summaries beside them. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { JsonObject } from '../../../src/events/json.ts'
import { archiveText } from '../../../src/store/care/archive/writer.ts'
import { levelStore } from '../../../src/store/level/store.ts'
import { all } from '../store-kit.ts'
import { temporaryDirectory } from '../temporary.ts'

const SECRET = 'the secret plan'

/** Any JSON with the secret in every place where text may be. */
const { data: secretData } = fc.letrec<{ data: JsonObject; value: JsonObject[string] }>((tie) => ({
  data: fc.dictionary(fc.stringMatching(/^[a-z]{1,8}Text$/), tie('value'), { minKeys: 1, maxKeys: 3 }),
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constant(SECRET),
    fc.string().map((text) => `${text}${SECRET}`),
    fc.array(tie('value'), { maxLength: 3 }),
    tie('data'),
  ) as fc.Arbitrary<JsonObject[string]>,
}))

test('no text of a fact or a summary is in it, and every number, position and hash is', async () => {
  await using store = await levelStore(await temporaryDirectory())
  await fc.assert(
    fc.asyncProperty(secretData, secretData, async (data, info) => {
      const first = (await store.head()) + 1
      const fact = { type: 'Told', v: 1, data: { ...data, count: 7 } }
      const summary = { status: 'busy', open: true, state: `${SECRET} hash`, info: { ...info, queue: 3 } }
      await store.append('agent/a', [fact], { summary })
      const [, line = '', ...rest] = (await all(archiveText(store, { redacted: true, after: first - 1 })))
        .join('')
        .split('\n')
      expect(line + rest.join()).not.toContain(SECRET)
      expect(JSON.parse(line)).toMatchObject({
        ...{ position: first, type: 'Told', data: { count: 7 }, hash: expect.any(String) },
        note: { summary: { status: 'busy', open: true, info: { queue: 3 } } },
      })
    }),
    { numRuns: 50 },
  )
})
