/** Removes secrets and prompts from the output of a program before it becomes part of a message or a log line. */

import { HIDDEN, jsonBody, SHORTEST_SECRET, secretForms } from './concealment.ts'

/** Texts that must not be repeated. */
export interface Confidential {
  /** The values of variables that hold keys and tokens. */
  readonly secrets?: readonly string[]
  /** The prompt and the system prompt: no error may carry them into a log. */
  readonly prompts?: readonly string[]
}

export type Redact = (text: string) => string

const SHORTEST_PROMPT = 12

/** How the tokens of services begin. The formats follow the default rules of gitleaks (MIT licence), 2026. */
const TOKEN_PREFIXES = [
  ...[
    'sk-',
    'sk_live_',
    'sk_test_',
    'rk_live_',
    'rk_test_',
    'whsec_',
    'gsk_',
    'xai-',
    'pplx-',
    'nvapi-',
    'r8_',
    'hf_',
  ],
  ...[
    'gh[oprsu]_',
    'github_pat_',
    'gl[a-z]{1,8}-',
    'ATATT3',
    'ATCTT3',
    'ATBB',
    'lin_api_',
    'figd_',
    'ntn_',
    'PMAK-',
  ],
  ...[
    'xox[a-z](?:\\.xox[a-z])?-',
    'xapp-',
    'npm_',
    'pypi-',
    'rubygems_',
    'dckr_[op]at_',
    'oy2',
    'NRAK-',
    'glsa_',
    'glc_',
  ],
  ...[
    'AIza',
    'ya29\\.',
    'GOCSPX-',
    'do[opr]_v1_',
    'shp[a-z]{2}_',
    'SG\\.',
    'hv[bs]\\.',
    'dapi',
    'pscale_[a-z]+_',
    'sntry[su]_',
  ],
  ...[
    'dp\\.[a-z]{2,7}\\.',
    'EAAC',
    'sq0[a-z]{3}-',
    'tskey-[a-z]+-',
    'vercel_',
    'sbp_',
    'AGE-SECRET-KEY-1',
    'ops_eyJ',
  ],
]

/** What a name ends with whose value is a secret, as in `DB_PASSWORD=x` or `"apiKey": "x"`. */
const SECRET_WORDS =
  'password|passwd|pwd|passphrase|secret|token|credentials?|(?:api|access|account|auth|private|secret|signing|encryption)[_-]?key'

/** A value, in quotes or up to the next space or separator. The quotes are the second and the third group. */
const VALUE = `(?:(["'])(?:(?!\\\\?\\2)[^\\r\\n])*(\\\\?\\2)|[^\\s"',;&}\\\\]+)`
const HIDDEN_VALUE = `$1$2${HIDDEN}$3`

/**
 * Text that looks like a secret. Each pattern begins where no earlier try can have come by, and has no two parts that fit the
 * same text in a row: so the work grows with the text, not with its square. Those that make a text longer come last.
 */
const SECRET_PATTERNS: readonly (readonly [RegExp, string])[] = [
  [
    /-----BEGIN [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----[\s\S]*?(?:-----END [A-Z ]{0,40}PRIVATE KEY(?: BLOCK)?-----|$)/g,
    HIDDEN,
  ],
  [/sk-ant-[\w-]{4,}/g, HIDDEN],
  [new RegExp(`(?<![\\w-])(?:${TOKEN_PREFIXES.join('|')})[\\w.~+/=-]{12,}`, 'g'), HIDDEN],
  // A JSON Web Token: its header is a JSON object in base64.
  [/(?<![\w-])eyJ[\w-]{8,}(?:\.[\w-]*){1,4}/g, HIDDEN],
  [
    /(?<![A-Z0-9])(?:A3T[A-Z0-9]|ABIA|ACCA|AGPA|AIDA|AIPA|AKIA|ANPA|ANVA|AROA|ASIA|LTAI)[A-Z0-9]{12,}/g,
    HIDDEN,
  ],
  // A bot of Telegram.
  [/(?<!\d)\d{8,10}:AA[\w-]{30,}/g, HIDDEN],
  [/(hooks\.slack\.com\/|discord(?:app)?\.com\/api\/webhooks\/)[\w/-]{8,}/gi, `$1${HIDDEN}`],
  [/\b(Bearer|Basic)\s+[\w.~+/=-]{6,}/gi, `$1 ${HIDDEN}`],
  // Any scheme, to the end of the header.
  [/(authorization|cookie)(["']?\s*[:=]\s*["']?)[^\r\n"',}]+/gi, `$1$2${HIDDEN}`],
  // Also a token without a user, and a password that contains an @. Only from the start of a word: a long word
  // would otherwise be searched again from each of its letters.
  [/(?<!\w)(\w+:\/\/)[^\s/?#"'<>]+@/g, `$1${HIDDEN}@`],
  // Of a program like curl.
  [/((?:^|\s)--?u(?:ser)?[ =]+[^\s:=][^\s:]*:)\S+/g, `$1${HIDDEN}`],
  [new RegExp(`((?:^|\\s)--(?:[a-z]+-)?(?:${SECRET_WORDS})[ =]+)${VALUE}`, 'gi'), HIDDEN_VALUE],
  [new RegExp(`((?:${SECRET_WORDS})(?:\\\\?["'])?\\s*[:=]\\s*\\\\?)${VALUE}`, 'gi'), HIDDEN_VALUE],
]

/** The values of variables with such a name must not be printed. */
const SECRET_NAME = /KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL|CUSTOM_HEADERS/i

export const isSecretName = (name: string): boolean => SECRET_NAME.test(name) || /auth|cookie/i.test(name)

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
export function redactor(confidential: Confidential): Redact {
  // Made for the first text: most calls end without one.
  let literals: readonly Literal[] | undefined
  return (text) => {
    if (text === '') return text
    literals ??= literalsOf(confidential)
    let clean = beginningOf(text, literals)
    for (const [literal, replacement] of literals) clean = clean.replaceAll(literal, replacement)
    for (const [pattern, replacement] of SECRET_PATTERNS) clean = clean.replace(pattern, replacement)
    return clean
  }
}

/** A text, and what is put in its place. */
type Literal = readonly [text: string, replacement: string]

const literalsOf = ({ secrets = [], prompts = [] }: Confidential): readonly Literal[] => [
  ...secretForms(secrets).map((form): Literal => [form, HIDDEN]),
  ...prompts
    .map((prompt) => prompt.trim())
    .filter((prompt) => prompt.length >= SHORTEST_PROMPT)
    .flatMap((prompt): Literal[] => [
      [prompt, '[prompt]'],
      [jsonBody(prompt), '[prompt]'],
    ]),
]

/** As much of a text as is looked at, without a secret or a word that the cut would split. */
function beginningOf(text: string, literals: readonly Literal[]): string {
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
