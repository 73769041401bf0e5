// Answers that all differ, as long as those of a model, and a runner that gives them at once.
import { createHash } from 'node:crypto'

const WORDS =
  'the of and to in is that for it as was with be by on not this are or from at which but have an had they you were their one all we can her has there been if more when will would who so no out up about into them then its time only could new these two may first any my now such like our over man me even most made after also did many before must through years where much your way well down should because each just those people how too little state good very make world still see own work long here get both between life being under never day same another know while last might us great old year off come since against go came right used take three'.split(
    ' ',
  )

/** A text of so many characters; each number has its own. */
export function textOf(number, length = 1000) {
  const seed = createHash('sha256').update(String(number)).digest()
  let text = `${number}:`
  for (let at = 0; text.length < length; at++) {
    const word = (seed[at % seed.length] * 31 + at * seed[(at + 7) % seed.length]) % WORDS.length
    text += ` ${WORDS[word]}`
  }
  return text.slice(0, length)
}

/**
 * Answers at once, each time with another text, and keeps no list of calls, which would dominate the measurement.
 *
 * @param stuckAt The agent that never answers.
 */
export function answering({ text = textOf, stuckAt } = {}) {
  let answers = 0
  return {
    async *start({ agent }, { signal }) {
      if (agent === stuckAt)
        await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
      else yield { type: 'result', result: { text: text(++answers), ...RESULT } }
    },
    recover: async () => ({ outcome: 'unsent' }),
  }
}

const RESULT = {
  costUsd: 0,
  usage: { inputTokens: 0, outputTokens: 0, cacheReadTokens: 0, cacheCreationTokens: 0 },
  durationMs: 0,
  turns: 1,
  model: null,
  permissionDenials: [],
}
