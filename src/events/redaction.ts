/** Removes secrets and prompts from the output of a program before it becomes part of a message or a log line. */

/** Texts that must not be repeated. */
export interface Confidential {
  /** The values of variables that hold keys and tokens. */
  readonly secrets?: readonly string[]
  /** The prompt and the system prompt: no error may carry them into a log. */
  readonly prompts?: readonly string[]
}

export type Redact = (text: string) => string

const HIDDEN = '[redacted]'

/** No key or token is shorter, and replacing shorter text would remove innocent words from a message. */
const SHORTEST_SECRET = 6
const SHORTEST_PROMPT = 12

/** Text that looks like a secret. */
const SECRET_PATTERNS: readonly (readonly [RegExp, string])[] = [
  [/sk-ant-[\w-]{4,}/g, HIDDEN],
  [/\b(Bearer|Basic)\s+[\w.~+/=-]{6,}/gi, `$1 ${HIDDEN}`],
  [/(x-api-key|api[_-]?key|auth[_-]?token)(["']?\s*[:=]\s*["']?)[^\s"',}]+/gi, `$1$2${HIDDEN}`],
  // Any scheme, to the end of the header.
  [/(authorization)(["']?\s*[:=]\s*["']?)[^\r\n"',}]+/gi, `$1$2${HIDDEN}`],
  // Also a token without a user, and a password that contains an @. Only from the start of a word: a long word
  // would otherwise be searched again from each of its letters.
  [/(?<!\w)(\w+:\/\/)[^\s/?#"'<>]+@/g, `$1${HIDDEN}@`],
]

/** The values of variables with such a name must not be printed. */
const SECRET_NAME = /KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL|CUSTOM_HEADERS/i

/** The values of an environment that are secret by their name, and the passwords in its URLs. */
export function secretsOf(environment: Readonly<Record<string, string>>): string[] {
  return Object.entries(environment).flatMap(([name, value]) => {
    if (name === 'ANTHROPIC_CUSTOM_HEADERS') return [value, ...headerValues(value)]
    return SECRET_NAME.test(name) ? [value] : passwordIn(value)
  })
}

/** Each value, because a header may be printed alone. */
const headerValues = (headers: string) =>
  headers.split('\n').map((line) => line.slice(line.indexOf(':') + 1).trim())

function passwordIn(address: string): string[] {
  const { username = '', password = '' } = URL.canParse(address) ? new URL(address) : {}
  const secret = password || username
  if (secret === '') return []
  try {
    return [secret, decodeURIComponent(secret)]
  } catch {
    return [secret]
  }
}

/**
 * No more of a text is looked at: what is quoted of it is far shorter. So the work is bounded, whatever a program says,
 * and no caller has to remember to cut first.
 */
const LONGEST_LOOKED_AT = 16 * 1024

/** How far back from a cut a word may begin that is then left out: half a password would not be recognized. */
const LONGEST_WORD = 1024

/**
 * Returns a function that redacts these secrets and prompts, and everything that looks like a secret. It keeps only the
 * beginning of a text that is longer than anything we quote.
 *
 * @example
 * redactor({ secrets: ['hunter2!'] })('the key hunter2! was refused') // 'the key [redacted] was refused'
 */
export function redactor({ secrets = [], prompts = [] }: Confidential): Redact {
  const literals: (readonly [string, string])[] = [
    ...secrets
      .filter((secret) => secret.length >= SHORTEST_SECRET)
      .map((secret) => [secret, HIDDEN] as const),
    ...prompts
      .map((prompt) => prompt.trim())
      .filter((prompt) => prompt.length >= SHORTEST_PROMPT)
      .flatMap((prompt) => [[prompt, '[prompt]'] as const, [jsonBody(prompt), '[prompt]'] as const]),
  ]
  return (text) => {
    let clean = beginningOf(text, literals)
    for (const [literal, replacement] of literals) clean = clean.replaceAll(literal, replacement)
    for (const [pattern, replacement] of SECRET_PATTERNS) clean = clean.replace(pattern, replacement)
    return clean
  }
}

/** As much of a text as is looked at, without a secret or a word that the cut would split. */
function beginningOf(text: string, literals: readonly (readonly [string, string])[]): string {
  if (text.length <= LONGEST_LOOKED_AT) return text
  let kept = text.slice(0, LONGEST_LOOKED_AT)
  for (const [literal] of literals) kept = kept.slice(0, startOfCut(kept, literal))
  return `${withoutLastWord(kept)}...`
}

/** Where the literal begins that the text ends in the middle of; the text's end if there is none. */
function startOfCut(text: string, literal: string): number {
  const start = literal.slice(0, SHORTEST_SECRET)
  const first = text.length - literal.length + 1
  for (let at = text.indexOf(start, Math.max(0, first)); at !== -1; at = text.indexOf(start, at + 1)) {
    if (literal.startsWith(text.slice(at))) return at
  }
  return text.length
}

function withoutLastWord(text: string): string {
  const earliest = Math.max(0, text.length - LONGEST_WORD)
  let end = text.length
  while (end > earliest && !isBlank(text.charCodeAt(end - 1))) end -= 1
  return text.slice(0, end)
}

const isBlank = (code: number) => code <= 0x20

/** Escape sequences that move a terminal's cursor or change its colours. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: it removes them
const TERMINAL_SEQUENCES = /(?:\u001b\[|\u009b)[\d;?]*[@-~]/g
// biome-ignore lint/suspicious/noControlCharactersInRegex: it removes them
const CONTROL_CHARACTERS = /[\u0000-\u001f\u007f-\u009f\s]+/g

/** The text as one line of at most `length` characters: control characters and line breaks become spaces. */
export function oneLine(text: string, length = 300): string {
  const isCut = text.length > LONGEST_LOOKED_AT
  const clean = (isCut ? `${text.slice(0, LONGEST_LOOKED_AT)}...` : text)
    .replace(TERMINAL_SEQUENCES, '')
    .replace(CONTROL_CHARACTERS, ' ')
    .trim()
  return clean.length > length ? `${clean.slice(0, length - 3)}...` : clean
}

/** The text as it appears inside a JSON string. */
const jsonBody = (text: string) => JSON.stringify(text).slice(1, -1)
