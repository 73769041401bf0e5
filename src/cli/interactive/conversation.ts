/** `interactive`: one session in which each line is a command, or else is asked of the current agent. */
import { join } from 'node:path'
import type { Command } from 'commander'
import { InvalidInputError } from '../../events/errors/usage.ts'
import { printReply } from '../agent/ask.ts'
import { reportFailure } from '../failure.ts'
import { type GlobalOptions, withGlobals } from '../global-options.ts'
import type { Definition } from '../lazy-command.ts'
import { isConversation, type Session, sharing, withSession } from '../session.ts'
import { candidates } from '../setup/completion.ts'
import { inert } from '../terminal/text.ts'
import { corrected, type Input, OWN_WORDS, readInput, SHORT_COMMANDS } from './input.ts'
import { type LineInput, lineInput } from './line-input.ts'

/** @param makeProgram The command line, whose commands are those of the session as well. */
export const interactiveCommand =
  (makeProgram: () => Command): Definition =>
  (command) => {
    command
      .description('start an interactive session: ask, inspect, run workflows, with history and completion')
      .action(withGlobals((globals) => converse(globals, makeProgram)))
  }

async function converse(globals: GlobalOptions, makeProgram: () => Command): Promise<void> {
  if (isConversation())
    throw new InvalidInputError({
      what: 'interactive',
      problem: 'this is an interactive session',
      hint: 'Type help for what it understands.',
    })
  if (!process.stdin.isTTY || !process.stdout.isTTY || globals.json) {
    throw new InvalidInputError({
      what: 'interactive',
      problem: 'it needs a terminal',
      hint: 'In a script, ask directly: claude-agents agent ask ID "..."',
    })
  }
  await withSession(globals, (session) => new Conversation(globals, session, makeProgram).hold())
}

class Conversation {
  readonly #globals: GlobalOptions
  #session: Session
  readonly #makeProgram: () => Command
  #agent: string | null = null

  constructor(globals: GlobalOptions, session: Session, makeProgram: () => Command) {
    this.#makeProgram = makeProgram
    this.#globals = globals
    this.#session = session
  }

  async hold(): Promise<void> {
    const { orchestrator, terminal } = this.#session
    const agents = await orchestrator.agents()
    if (agents.length === 1) this.#agent = agents[0]?.id ?? null
    terminal.note(`${firstWords(agents.map(({ id }) => id))}, or help. Ctrl-C stops an answer, exit quits.`)
    const input = await lineInput({
      historyFile: join(this.#globals.baseDir, 'history'),
      complete: (text) => this.#complete(text),
      signal: this.#session.signal,
    })
    let wasInterrupted = false
    try {
      for (;;) {
        const typed = await input.next(terminal.style('bold', `${this.#agent ?? 'claude-agents'}> `))
        if (typed === null) return terminal.note('')
        if (typed === 'interrupted') {
          if (wasInterrupted) return
          wasInterrupted = true
          terminal.note('Press Ctrl-C again to quit, or type exit.')
          continue
        }
        wasInterrupted = false
        const meant = await this.#meant(typed, input)
        if (meant.type === 'exit') return
        await this.#interruptible(input, (session) => this.#do(meant, session))
      }
    } finally {
      input.close()
    }
  }

  /**
   * What a line means. Asks first whether a slip was a command or a question; what is typed instead of an answer is the next
   * line.
   */
  async #meant(typed: string, input: LineInput): Promise<Input> {
    const meant = readInput(typed, this.#agent, await this.#agentsNamed(typed))
    if (meant.type !== 'unsure') return meant
    const { terminal } = this.#session
    terminal.note(`Did you mean ${inert(meant.meant)}? Nothing was asked.`)
    const reply = await input.next(terminal.style('bold', 'y: yes, a: ask the agent this text> '), {
      isKept: false,
    })
    if (reply === null) {
      terminal.note('')
      return { type: 'exit' }
    }
    if (reply === 'interrupted' || /^\s*(no?)?\s*$/i.test(reply)) return { type: 'nothing' }
    if (/^\s*a(sk)?\s*$/i.test(reply)) return { type: 'ask', prompt: meant.typed.replace(/^\/?ask\s+/, '') }
    if (!/^\s*y(es)?\s*$/i.test(reply)) return this.#meant(reply, input)
    const line = readInput(
      corrected(meant.meant, meant.typed),
      this.#agent,
      await this.#agentsNamed(meant.meant),
    )
    return line.type === 'unsure' ? { type: 'help' } : line
  }

  /** Those that may be named in a line that begins with `ask`. */
  async #agentsNamed(typed: string): Promise<readonly string[]> {
    if (!/^\s*\/?ask\s/.test(typed)) return []
    try {
      this.#session = await this.#session.renewed()
      return (await this.#session.orchestrator.agents()).map(({ id }) => id)
    } catch {
      // The ask itself says what is wrong.
      return []
    }
  }

  /** Ctrl-C cancels the command, not the session. */
  async #interruptible(input: LineInput, run: (session: Session) => Promise<void>): Promise<void> {
    const stop = new AbortController()
    const interrupt = () => stop.abort('interrupted')
    // The session's own listener would end the session.
    const others = process.listeners('SIGINT')
    for (const other of others) process.off('SIGINT', other)
    process.on('SIGINT', interrupt)
    // Commands that listen for themselves hear of it as well.
    input.whileBusy(() => void (stop.signal.aborted || process.emit('SIGINT', 'SIGINT')))
    const { terminal, signal } = this.#session
    try {
      this.#session = await this.#session.renewed()
      const session = { ...this.#session, signal: AbortSignal.any([signal, stop.signal]) }
      await sharing(session, () => run(session))
    } catch (error) {
      if (stop.signal.aborted) terminal.note(terminal.accent('yellow', 'stopped'))
      else
        await reportFailure(error, false, {
          help: () => 'help. To ask the agent this text: ask TEXT',
          takesText: () => false,
          takesTheRest: () => null,
          commandWith: () => null,
        })
    } finally {
      process.off('SIGINT', interrupt)
      for (const other of others) process.on('SIGINT', other)
      // The exit code of a command is not that of the session.
      if (!this.#session.signal.aborted) process.exitCode = undefined
    }
  }

  async #do(meant: Input, session: Session): Promise<void> {
    const { orchestrator, terminal } = session
    switch (meant.type) {
      case 'help':
        return this.#help()
      case 'use':
        this.#agent = (await orchestrator.agent(meant.agent)).id
        return
      case 'wrong':
        return terminal.note(`Usage: ${meant.usage}   (to ask the agent this text: ask ...)`)
      case 'ask': {
        const { agent = this.#agent, prompt } = meant
        if (agent === null)
          return terminal.note(
            'No current agent: use ID selects one, create ID "PROMPT" creates one, list shows them.',
          )
        return printReply(session, agent, { prompt }, {})
      }
      case 'command': {
        const { words } = meant
        await this.#program().parseAsync([...words], { from: 'user' })
        if (words[1] === 'create') this.#agent = words[2] ?? null
        if (words[1] === 'remove' && words[2] === this.#agent) this.#agent = null
        return
      }
    }
  }

  /** The command line with the global options of this session. */
  #program(): Command {
    const { baseDir, color, logLevel, config, given } = this.#globals
    const program = this.#makeProgram()
    program.setOptionValue('baseDir', baseDir)
    program.setOptionValue('logLevel', logLevel)
    if (given.database !== undefined) program.setOptionValue('database', given.database)
    if (!color) program.setOptionValue('color', false)
    if (config.file !== null) program.setOptionValue('config', config.file)
    return program
  }

  #help(): void {
    const { terminal } = this.#session
    const rows: readonly (readonly [string, string])[] = [
      ['TEXT', 'ask the current agent; pasted text is one prompt'],
      ['ask [ID] TEXT', 'the same, or ask another agent'],
      ['use ID', 'select the current agent'],
      ...Object.values(SHORT_COMMANDS).map(({ usage, means }) => [usage, means] as const),
      ['claude-agents ...', 'any other command, as on the command line'],
      ['exit', 'quit (also: Ctrl-D)'],
    ]
    for (const [usage, means] of rows)
      terminal.row(`  ${usage.padEnd(20)}${terminal.style('dim', inert(means))}`)
  }

  async #complete(text: string): Promise<readonly string[]> {
    const words = text.trimStart().split(/\s+/)
    const [first = '', ...rest] = words
    if (words.length === 1) return [...OWN_WORDS, ...Object.keys(SHORT_COMMANDS)]
    const { orchestrator } = this.#session
    if (first === 'approve' || first === 'deny' || first === 'answer')
      return words.length > 2 ? [] : (await orchestrator.inbox.list()).map(({ id }) => id)
    if (first === 'use' || first === 'remove' || (first === 'ask' && words.length === 2))
      return (await orchestrator.agents()).map(({ id }) => id)
    const given = SHORT_COMMANDS[first]?.words(rest, null)
    if (!given) return []
    return sharing(this.#session, () => candidates(this.#program(), given))
  }
}

/** How many agents the first line names. */
const NAMED = 8

/** What to type first: a question, if it is known whom it is for. */
function firstWords(agents: readonly string[]): string {
  if (agents.length === 0) return 'Create an agent: create ID "PROMPT"'
  if (agents.length === 1) return 'Type a question'
  const more = agents.length > NAMED ? ', ...' : ''
  return `Choose whom you ask: use ID (${agents.slice(0, NAMED).join(', ')}${more})`
}
