/**
 * Hides secrets that are known by their values, and nothing else: in texts, in what JSON holds, and in a text that comes in
 * pieces. What a secret may look like is that of the masks of CI services: as it is, in JSON, in a URL, and in base64 wherever
 * in a longer text it begins.
 */

export const HIDDEN = '[redacted]'

/** No key or token is shorter, and replacing shorter text would remove innocent words from a message. */
export const SHORTEST_SECRET = 6

/** Hides the same secrets wherever they may appear. */
export interface Concealment {
  /** Whether there is nothing to hide. */
  readonly isEmpty: boolean
  text(text: string): string
  /** The texts in a value of JSON, and the names of its fields. The same value if there is nothing to hide. */
  json<T>(value: T): T
  /** For one text that comes piece by piece. */
  pieces(): ConcealedPieces
}

/** A text whose secrets may be divided: what may be the beginning of one waits for the next piece. */
export interface ConcealedPieces {
  /** What of it can be shown now. */
  add(piece: string): string
  /** The last characters that were added do not count. How many of those that were shown do not. */
  retract(characters: number): number
  /** What is left, if no more comes. */
  end(): string
}

/** How secrets may be written. The longest first: a shorter one may be a part of it. */
export const secretForms = (secrets: readonly string[]): readonly string[] =>
  [...new Set(secrets.filter((secret) => secret.length >= SHORTEST_SECRET).flatMap(formsOf))]
    .filter((form) => form.length >= SHORTEST_SECRET)
    .sort((one, other) => other.length - one.length)

function formsOf(secret: string): readonly string[] {
  const inUrl = asUrl(secret)
  return [
    ...[secret, jsonBody(secret), jsonBody(jsonBody(secret))],
    ...[inUrl, inUrl.replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase()), inUrl.replaceAll('%20', '+')],
    ...[0, 1, 2].flatMap((offset) => {
      const base64 = asBase64(secret, offset)
      return [base64, base64.replaceAll('+', '-').replaceAll('/', '_')]
    }),
  ]
}

/** The text as it appears inside a JSON string. */
export const jsonBody = (text: string): string => JSON.stringify(text).slice(1, -1)

/** Half a character outside of the basic plane cannot be in a URL. */
const asUrl = (text: string): string => encodeURIComponent(Buffer.from(text).toString())

/** What of its base64 is the same whatever comes after it, and before it: as many bytes as `offset`, and groups of three. */
function asBase64(secret: string, offset: number): string {
  const bytes = Buffer.concat([Buffer.alloc(offset), Buffer.from(secret)])
  const whole = Math.floor((bytes.length * 8) / 6)
  return bytes.toString('base64').slice(Math.ceil((offset * 8) / 6), whole)
}

export function concealment(secrets: readonly string[]): Concealment {
  const forms = secretForms(secrets)
  const text = (given: string) => forms.reduce((clean, form) => clean.replaceAll(form, HIDDEN), given)
  return {
    isEmpty: forms.length === 0,
    text,
    json: (value) => (forms.length === 0 ? value : (concealed(value, text) as typeof value)),
    pieces: () => piecesWithout(forms),
  }
}

/** Nothing deeper is looked at: it is not shown either. */
const DEEPEST = 200

function concealed(value: unknown, text: (given: string) => string, depth = 0): unknown {
  if (typeof value === 'string') return text(value)
  if (typeof value !== 'object' || value === null) return value
  if (depth > DEEPEST) return null
  if (Array.isArray(value)) return value.map((item) => concealed(item, text, depth + 1))
  return Object.fromEntries(
    Object.entries(value).map(([name, field]) => [text(name), concealed(field, text, depth + 1)]),
  )
}

/** What was shown for some characters: the same, or in place of a secret. */
interface Shown {
  characters: number
  shown: number
  readonly isHidden: boolean
}

function piecesWithout(forms: readonly string[]): ConcealedPieces {
  const firsts = new Set(forms.map(([first]) => first))
  let waiting = ''
  /** From the beginning. */
  const past: Shown[] = []
  const note = (characters: number, shown: number, isHidden: boolean) => {
    const last = past.at(-1)
    if (!last || isHidden || last.isHidden) past.push({ characters, shown, isHidden })
    else {
      last.characters += characters
      last.shown += shown
    }
  }
  /** @param isLast Whether nothing more comes. */
  const show = (text: string, isLast: boolean): string => {
    let shown = ''
    let at = 0
    while (at < text.length) {
      const isBegun = firsts.has(text[at] ?? '')
      const rest = isBegun ? text.slice(at) : ''
      if (isBegun && !isLast && forms.some((form) => form.length > rest.length && form.startsWith(rest)))
        break
      const form = isBegun ? forms.find((one) => rest.startsWith(one)) : undefined
      shown += form === undefined ? text[at] : HIDDEN
      if (form === undefined) note(1, 1, false)
      else note(form.length, HIDDEN.length, true)
      at += form?.length ?? 1
    }
    waiting = text.slice(at)
    return shown
  }
  return {
    add: (piece) => (forms.length === 0 ? piece : show(waiting + piece, false)),
    retract(characters) {
      if (forms.length === 0) return characters
      let left = characters - waiting.length
      waiting = left < 0 ? waiting.slice(0, -left) : ''
      let retracted = 0
      for (let last = past.at(-1); last && left > 0; last = past.at(-1)) {
        const taken = last.isHidden ? last.characters : Math.min(left, last.characters)
        const hidden = last.isHidden ? last.shown : taken
        left -= taken
        retracted += hidden
        last.characters -= taken
        last.shown -= hidden
        if (last.characters === 0) past.pop()
      }
      return retracted
    },
    end: () => show(waiting, true),
  }
}
