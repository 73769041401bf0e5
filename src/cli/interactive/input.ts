/** What a line of an interactive session means: a command by its short name, or a question to the agent. */

import { isSlipOf } from '../../events/nearest-name.ts'

export type Input =
  | { readonly type: 'nothing' }
  | { readonly type: 'exit' }
  | { readonly type: 'help' }
  | { readonly type: 'use'; readonly agent: string }
  | { readonly type: 'ask'; readonly prompt: string }
  /** A command line. */
  | { readonly type: 'command'; readonly words: readonly string[] }
  /** Perhaps a command, perhaps a question: it is neither run nor asked. */
  | { readonly type: 'unsure'; readonly meant: string; readonly typed: string }
  /** An incomplete command. */
  | { readonly type: 'wrong'; readonly usage: string }

interface ShortCommand {
  /** For the help. */
  readonly usage: string
  readonly means: string
  /** The command line, from the words that follow and the current agent; null when words are missing. */
  readonly words: (rest: readonly string[], agent: string | null) => readonly string[] | null
}

/** With the current agent if none is named. */
const ofAgent =
  (...command: readonly string[]) =>
  (rest: readonly string[], agent: string | null) => {
    const [id = agent, ...more] = rest
    return id === null ? null : [...command, id, ...more]
  }

const ofStream =
  (command: string) =>
  ([name, ...more]: readonly string[], agent: string | null) => {
    const id = name ?? agent
    if (id === null) return null
    return [command, id.includes('/') ? id : `agent/${id}`, ...more]
  }

export const SHORT_COMMANDS: Readonly<Record<string, ShortCommand>> = {
  create: {
    usage: 'create ID "PROMPT"',
    means: 'create an agent and select it',
    words: (rest) =>
      rest.length < 2 || !/^[a-z0-9]/.test(rest[0] ?? '') ? null : ['agent', 'create', ...rest],
  },
  list: { usage: 'list', means: 'list agents', words: (rest) => ['agent', 'list', ...rest] },
  show: { usage: 'show [ID]', means: 'show the state of an agent', words: ofAgent('agent', 'show') },
  sessions: {
    usage: 'sessions [ID]',
    means: 'show its chain of sessions',
    words: ofAgent('agent', 'sessions'),
  },
  reset: { usage: 'reset [ID]', means: 'start a new chain of sessions', words: ofAgent('agent', 'reset') },
  cancel: {
    usage: 'cancel TASK',
    means: 'cancel a task of the agent',
    words: (rest, agent) =>
      rest.length === 0 || agent === null ? null : ['agent', 'cancel', agent, ...rest],
  },
  remove: { usage: 'remove ID', means: 'remove an agent', words: (rest) => ['agent', 'remove', ...rest] },
  workflow: {
    usage: 'workflow ...',
    means: 'as on the command line',
    words: (rest) => ['workflow', ...rest],
  },
  log: { usage: 'log [--limit N]', means: 'print what happened', words: (rest) => ['log', ...rest] },
  replay: { usage: 'replay [ID]', means: 'replay its history, fact by fact', words: ofStream('replay') },
  state: { usage: 'state [ID]', means: 'show its whole state', words: ofStream('state') },
  budget: { usage: 'budget show|set', means: 'limit spending', words: (rest) => ['budget', ...rest] },
  recover: {
    usage: 'recover',
    means: 'settle what a killed process left behind',
    words: (rest) => ['recover', ...rest],
  },
}

/** Words that the session itself understands. */
export const OWN_WORDS = ['use', 'ask', 'help', 'exit'] as const

/** A hint copied as it stands, which no user means to ask an agent. */
const COPIED = /^(?:npx )?claude-agents ((?:agent|workflow|log|replay|state|why|budget|recover)\b.*)$/

/** Several lines are always for the agent: they were pasted. */
export function readInput(text: string, agent: string | null): Input {
  const typed = text.trim()
  if (typed === '') return { type: 'nothing' }
  if (typed.includes('\n')) return { type: 'ask', prompt: typed.replace(/^ask\s+/, '') }
  const copied = COPIED.exec(typed)?.[1]
  if (copied !== undefined) {
    const words = splitWords(copied)
    return words ? { type: 'command', words } : wrong(copied)
  }
  const [, name = '', rest = ''] = /^\/?(\S+)\s*(.*)$/s.exec(typed) ?? []
  if (name === 'exit' || name === 'quit') return { type: 'exit' }
  if (name === 'help' || name === '?') return { type: 'help' }
  if (name === 'ask') return rest === '' ? wrong('ask TEXT') : { type: 'ask', prompt: rest }
  if (name === 'use') return /^\S+$/.test(rest) ? { type: 'use', agent: rest } : wrong('use ID')
  const command = Object.hasOwn(SHORT_COMMANDS, name) ? SHORT_COMMANDS[name] : undefined
  if (!command) {
    const meant = meantBy(typed, name.toLowerCase())
    return meant === null ? { type: 'ask', prompt: typed } : { type: 'unsure', meant, typed }
  }
  const given = splitWords(rest)
  const words = given && command.words(given, agent)
  return words ? { type: 'command', words } : wrong(command.usage)
}

/** In words: what is longer is a question, whatever it begins with. */
const LONGEST_COMMAND = 3
const NAMES = [...OWN_WORDS, ...Object.keys(SHORT_COMMANDS)]

/** Commands that are not short ones here, and that begin no question of a few words. */
const FULL_COMMANDS = new Set(
  'agent account attach config completion demo doctor fork init inspect interactive late-answers ls metrics ps rerun serve stats status tail top version'.split(
    ' ',
  ),
)

/** The command that was probably meant; null if it is a question to the agent. */
function meantBy(typed: string, name: string): string | null {
  if (typed.split(/\s+/).length > LONGEST_COMMAND) return null
  if (FULL_COMMANDS.has(name)) return `claude-agents ${typed.replace('/', '')}`
  const near = NAMES.find((known) => known === name || isSlipOf(name, known))
  if (near !== undefined) return near
  return typed.startsWith('/') ? 'help' : null
}

const wrong = (usage: string): Input => ({ type: 'wrong', usage })

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
