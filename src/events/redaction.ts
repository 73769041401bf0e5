/** Takes secrets and prompts out of what a program said, before it becomes part of a message or a log line. */

/** What we know to be secret, and what must not be repeated. */
export interface Confidential {
  /** The values of the variables that hold keys and tokens. */
  readonly secrets?: readonly string[]
  /** The prompt and the system prompt: an error must not carry them into a log. */
  readonly prompts?: readonly string[]
}

export type Redact = (text: string) => string

const HIDDEN = '[redacted]'

/** A shorter secret would take innocent words out of a message; no key or token is that short. */
const SHORTEST_SECRET = 6
const SHORTEST_PROMPT = 12

/** What looks like a secret, wherever it comes from. */
const SECRET_PATTERNS: readonly (readonly [RegExp, string])[] = [
  [/sk-ant-[\w-]{4,}/g, HIDDEN],
  [/\b(Bearer|Basic)\s+[\w.~+/=-]{6,}/gi, `$1 ${HIDDEN}`],
  [/(x-api-key|api[_-]?key|auth[_-]?token)(["']?\s*[:=]\s*["']?)[^\s"',}]+/gi, `$1$2${HIDDEN}`],
  // Whatever its scheme is called, to the end of the header.
  [/(authorization)(["']?\s*[:=]\s*["']?)[^\r\n"',}]+/gi, `$1$2${HIDDEN}`],
  // Also a token that stands there alone, and a password with an @ in it.
  [/(\w+:\/\/)[^\s/?#"'<>]+@/g, `$1${HIDDEN}@`],
]

/** Variables with such a name hold something that must not be printed. */
const SECRET_NAME = /KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL|CUSTOM_HEADERS/i

/** The values in an environment that are secret by their name, and the passwords in its addresses. */
export function secretsOf(environment: Readonly<Record<string, string>>): string[] {
  return Object.entries(environment).flatMap(([name, value]) => {
    if (name === 'ANTHROPIC_CUSTOM_HEADERS') return [value, ...headerValues(value)]
    return SECRET_NAME.test(name) ? [value] : passwordIn(value)
  })
}

/** Each stands alone where a header is printed. */
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
 * Makes a function that redacts.
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
    let clean = text
    for (const [literal, replacement] of literals) clean = clean.replaceAll(literal, replacement)
    for (const [pattern, replacement] of SECRET_PATTERNS) clean = clean.replace(pattern, replacement)
    return clean
  }
}

/** Sequences that move a terminal's cursor or change its colours. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
const TERMINAL_SEQUENCES = /(?:\u001b\[|\u009b)[\d;?]*[@-~]/g
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
const CONTROL_CHARACTERS = /[\u0000-\u001f\u007f-\u009f\s]+/g

/** One line of readable text of at most `length` characters: control characters and line breaks become spaces. */
export function oneLine(text: string, length = 300): string {
  const clean = text.replace(TERMINAL_SEQUENCES, '').replace(CONTROL_CHARACTERS, ' ').trim()
  return clean.length > length ? `${clean.slice(0, length - 3)}...` : clean
}

/** The text as it stands inside a JSON string. */
const jsonBody = (text: string) => JSON.stringify(text).slice(1, -1)
