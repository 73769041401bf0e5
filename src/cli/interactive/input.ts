/** What a line of an interactive session means: a command by its short name, or a question to the agent. */

import { isSlipOf } from '../../events/nearest-name.ts'

export type Input =
  | { readonly type: 'nothing' }
  | { readonly type: 'exit' }
  | { readonly type: 'help' }
  | { readonly type: 'use'; readonly agent: string }
  /** `agent`: the one that was named; otherwise it is the current one. */
  | { readonly type: 'ask'; readonly agent?: string; readonly prompt: string }
  /** A command line. */
  | { readonly type: 'command'; readonly words: readonly string[] }
  /** Perhaps a command, perhaps a question: it is neither run nor asked before the user has said which. */
  | { readonly type: 'unsure'; readonly meant: string; readonly typed: string }
  /** An incomplete command. */
  | { readonly type: 'wrong'; readonly usage: string }

interface ShortCommand {
  /** For the help. */
  readonly usage: string
  readonly means: string
  /** The command line, from the words that follow and the current agent; null when words are missing, or too many. */
  readonly words: (rest: readonly string[], agent: string | null) => readonly string[] | null
  /** Whether all that follows its first word is one text, with quotes or without. */
  readonly takesText?: true
}

const isOption = (word: string) => word.startsWith('-')

/** null for more words than it takes. Where there are options, the command itself looks at them. */
const atMost = (most: number, rest: readonly string[], words: readonly string[]) =>
  rest.length <= most || rest.some(isOption) ? words : null

const plain =
  (...command: readonly string[]) =>
  (rest: readonly string[]) =>
    atMost(0, rest, [...command, ...rest])

/** The name, and what follows it: that of the current agent if there is none. */
function named(rest: readonly string[], agent: string | null): readonly [string | null, readonly string[]] {
  const [first, ...more] = rest
  return first === undefined || isOption(first) ? [agent, rest] : [first, more]
}

/** With the current agent if none is named. */
const ofAgent =
  (...command: readonly string[]) =>
  (rest: readonly string[], agent: string | null) => {
    const [id, more] = named(rest, agent)
    return id === null ? null : atMost(1, rest, [...command, id, ...more])
  }

const ofStream = (command: string) => (rest: readonly string[], agent: string | null) => {
  const [id, more] = named(rest, agent)
  if (id === null) return null
  return atMost(1, rest, [command, id.includes('/') ? id : `agent/${id}`, ...more])
}

/** Entries of the inbox have a colon in their ids; tasks have none. */
const isEntry = (id: string) => id.includes(':')

export const SHORT_COMMANDS: Readonly<Record<string, ShortCommand>> = {
  create: {
    usage: 'create ID "PROMPT"',
    means: 'create an agent and select it',
    words: (rest) =>
      rest.length < 2 || !/^[a-z0-9]/.test(rest[0] ?? '')
        ? null
        : atMost(2, rest, ['agent', 'create', ...rest]),
  },
  list: { usage: 'list', means: 'list agents', words: plain('agent', 'list') },
  show: { usage: 'show [ID]', means: 'show the state of an agent', words: ofAgent('agent', 'show') },
  sessions: {
    usage: 'sessions [ID]',
    means: 'show its chain of sessions',
    words: ofAgent('agent', 'sessions'),
  },
  reset: { usage: 'reset [ID]', means: 'start a new chain of sessions', words: ofAgent('agent', 'reset') },
  attach: { usage: 'attach [ID]', means: 'watch an agent, a task or a run', words: ofAgent('attach') },
  cancel: {
    usage: 'cancel TASK',
    means: 'cancel a task of the agent',
    words: (rest, agent) =>
      rest.length === 0 || agent === null ? null : atMost(1, rest, ['agent', 'cancel', agent, ...rest]),
  },
  remove: {
    usage: 'remove ID',
    means: 'remove an agent',
    words: (rest) => atMost(1, rest, ['agent', 'remove', ...rest]),
  },
  inbox: {
    usage: 'inbox',
    means: 'list what waits for you',
    words: plain('inbox'),
  },
  approve: {
    usage: 'approve ID',
    means: 'say yes to an entry of the inbox, or a held task',
    words: ([id, ...more]) =>
      id === undefined
        ? null
        : atMost(0, more, [...(isEntry(id) ? ['inbox'] : ['agent']), 'approve', id, ...more]),
  },
  deny: {
    usage: 'deny ID [WHY]',
    means: 'say no to it',
    takesText: true,
    words: ([id, ...more]) => {
      if (id === undefined) return null
      const why = more.length === 1 && !isOption(more[0] ?? '') ? ['--reason', ...more] : more
      return [...(isEntry(id) ? ['inbox', 'deny'] : ['agent', 'reject']), id, ...why]
    },
  },
  answer: {
    usage: 'answer ID TEXT',
    means: 'answer a question in the inbox',
    takesText: true,
    words: ([id = '', ...more]) => (isEntry(id) && more.length > 0 ? ['inbox', 'answer', id, ...more] : null),
  },
  held: { usage: 'held', means: 'list held tasks', words: plain('agent', 'held') },
  top: { usage: 'top', means: 'watch what agents are doing', words: plain('top') },
  ps: { usage: 'ps', means: 'list the processes of running calls', words: plain('ps') },
  stats: { usage: 'stats [--by run]', means: 'show durations, failures and cost', words: plain('stats') },
  workflow: {
    usage: 'workflow ...',
    means: 'as on the command line',
    words: (rest) => ['workflow', ...rest],
  },
  log: { usage: 'log [--limit N]', means: 'print what happened', words: plain('log') },
  replay: { usage: 'replay [ID]', means: 'replay its history, fact by fact', words: ofStream('replay') },
  state: { usage: 'state [ID]', means: 'show its whole state', words: ofStream('state') },
  budget: { usage: 'budget show|set', means: 'limit spending', words: (rest) => ['budget', ...rest] },
  recover: {
    usage: 'recover',
    means: 'settle what a killed process left behind',
    words: plain('recover'),
  },
}

/** `inbox approve ID` is `approve ID`. */
const DECISION = /^(?:approve|deny|answer)(?=\s)/

/** Words that the session itself understands. */
export const OWN_WORDS = ['use', 'ask', 'help', 'exit'] as const

/** Commands that have no short name here. */
const FULL_COMMANDS =
  'account agent apply cluster completion config demo diff doctor fleet fork init inspect interactive land late-answers ls mcp message metrics note notify rerun schedule serve status tail topic version wait why worker'.split(
    ' ',
  )

/** A hint copied as it stands. */
const COPIED = /^(?:npx )?claude-agents\s+((?:--?\S+\s+)*)(\S+)(.*)$/s

/**
 * Several lines are for the agent: they were pasted.
 *
 * @param agents The agents that can be named after `ask`.
 */
export function readInput(text: string, agent: string | null, agents: readonly string[] = []): Input {
  const typed = text.trim()
  if (typed === '') return { type: 'nothing' }
  const [, slash = '', name = '', rest = ''] = /^(\/?)(\S+)\s*(.*)$/s.exec(typed) ?? []
  if (name === 'ask') return rest === '' ? wrong(ASK) : asked(rest, typed, agents)
  if (name === 'inbox' && DECISION.test(rest)) return readInput(rest, agent)
  const isAnswer = name === 'answer' && isEntry(rest.split(/\s/, 1)[0] ?? '')
  if (typed.includes('\n') && !isAnswer) return { type: 'ask', prompt: typed }
  const [, options = '', copied, more = ''] = COPIED.exec(typed) ?? []
  if (copied !== undefined) {
    const line = (command: string) => `${options}${command}${more}`
    const known = nearest(copied, [...FULL_COMMANDS, ...Object.keys(SHORT_COMMANDS)]) ?? (options && copied)
    if (known === '' || known === null || (known !== copied && OPENS_QUESTION.test(copied)))
      return { type: 'ask', prompt: typed }
    if (known !== copied) return { type: 'unsure', meant: `claude-agents ${line(known)}`, typed }
    const words = splitWords(line(copied))
    return words ? { type: 'command', words } : wrong(line(copied))
  }
  if ((name === 'exit' || name === 'quit') && rest === '') return { type: 'exit' }
  if ((name === 'help' && rest === '') || name === '?') return { type: 'help' }
  if (name === 'use') return /^\S+$/.test(rest) ? { type: 'use', agent: rest } : wrong('use ID')
  const command = Object.hasOwn(SHORT_COMMANDS, name) ? SHORT_COMMANDS[name] : undefined
  const given = command?.takesText ? wordsWithText(rest) : splitWords(rest)
  const words = given && command?.words(given, agent)
  if (words) return { type: 'command', words }
  const isSentence = opensSentence(name, rest)
  if (command && !(isSentence && name === 'top')) return wrong(command.usage)
  const meant = isSentence && slash === '' ? null : meantBy(name, slash, rest)
  return meant === null ? { type: 'ask', prompt: typed } : { type: 'unsure', meant, typed }
}

const ASK = 'ask [ID] TEXT'

/** `ask NAME text` asks that agent. */
function asked(rest: string, typed: string, agents: readonly string[]): Input {
  const [, name = '', prompt = ''] = /^(\S+)\s*(.*)$/s.exec(rest) ?? []
  const near = nearest(name, agents)
  if (near === null || (near !== name && (prompt === '' || near.length < SHORTEST_SLIP)))
    return { type: 'ask', prompt: rest }
  if (near !== name) return { type: 'unsure', meant: `ask ${near}`, typed }
  return prompt === '' ? wrong(ASK) : { type: 'ask', agent: name, prompt }
}

/** In words: with an ordinary word at its beginning, what is longer is a question. */
const LONGEST_COMMAND = 3
/** In characters: a shorter name is near to any short word. */
const SHORTEST_SLIP = 3

/** Words that begin questions: they are no slips, however near to a command they are. */
const OPENS_QUESTION =
  /^(?:as|for|how|is|its?|no|of|on|or|so|that|then|this|to|us|wait|was|what|when|who|why|with)[^a-z0-9]*$/i

/** Words that begin sentences as well: any other word that resembles a command is a slip, however long the line is. */
const ORDINARY = new Set(
  `accounts agents answer answers apply approve are asked asks attach attack cancel create demo deny diff edit exist exit fleet fork
  form hand held hello help helps here hold init inspect land last late lest let list lists log long lose lost lot mail mask more
  most not note notes notify remove replay reply reset rest return save schedule see serve server shop shot show shows slow state
  status step stop tail task tasks test tips too top unit up use user users version want way work`.split(
    /\s+/,
  ),
)

/** Whether a line that begins with such a word is a sentence to the agent, although a command resembles it. */
const opensSentence = (word: string, rest: string): boolean =>
  OPENS_QUESTION.test(word)
    ? !/^-?-?\d/.test(rest)
    : ORDINARY.has(word.toLowerCase()) && rest.trim().split(/\s+/).length >= LONGEST_COMMAND

/** The name itself, or one that it is a slip of; null if there is none. */
function nearest(word: string, names: readonly string[]): string | null {
  if (names.includes(word)) return word
  const lower = word.toLowerCase()
  return names.find((name) => name === lower || isSlipOf(lower, name)) ?? null
}

/** The command that was probably meant; null if it is a question to the agent. */
function meantBy(name: string, slash: string, rest: string): string | null {
  const full = nearest(name, FULL_COMMANDS)
  const short = nearest(name, [...OWN_WORDS, ...Object.keys(SHORT_COMMANDS)])
  if (short !== null && full !== name) return short
  if (full !== null) return `claude-agents ${`${full} ${rest}`.trim()}`
  // A path begins like this as well.
  return slash !== '' && !name.includes('/') ? 'help' : null
}

/** The line that was meant instead of the one that was typed. */
export function corrected(meant: string, typed: string): string {
  if (meant.startsWith('claude-agents ') || meant === 'help' || meant === 'exit') return meant
  const others = typed.split(/(?<=\s)(?=\S)/).slice(meant.split(' ').length)
  return `${meant} ${others.join('')}`.trim()
}

const wrong = (usage: string): Input => ({ type: 'wrong', usage })

/** The first word, and the rest as one text unless it has quotes or options. */
function wordsWithText(rest: string): readonly string[] {
  const words = splitWords(rest)
  if (words && (words.length <= 2 || words.some(isOption))) return words
  const [, id = '', text = ''] = /^(\S+)\s+(.*)$/s.exec(rest) ?? []
  return [id, text]
}

/** Words as a shell would split them; null if a quote is not closed. */
export function splitWords(text: string): readonly string[] | null {
  const words: string[] = []
  let rest = text.trim()
  while (rest !== '') {
    const [word, ...parts] = /^(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([^\s"']+))(?=\s|$)/.exec(rest) ?? []
    if (word === undefined) return null
    words.push((parts[0]?.replace(/\\(.)/g, '$1') ?? parts[1] ?? parts[2]) || '')
    rest = rest.slice(word.length).trim()
  }
  return words
}
