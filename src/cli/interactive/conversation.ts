/** `interactive`: one session in which each line is a command, or else is asked of the current agent. */
import { join } from 'node:path'
import type { Command } from 'commander'
import { InvalidInputError } from '../../events/errors/usage.ts'
import { printReply } from '../agent/ask.ts'
import { refuseDatabase } from '../existing-store.ts'
import { reportFailure } from '../failure.ts'
import { type GlobalOptions, withGlobals } from '../global-options.ts'
import type { Definition } from '../lazy-command.ts'
import { type Session, sharing, withSession } from '../session.ts'
import { candidates } from '../setup/completion.ts'
import { inert } from '../terminal/text.ts'
import { type Input, OWN_WORDS, readInput, SHORT_COMMANDS } from './input.ts'
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
  refuseDatabase(globals, 'interactive')
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
    terminal.note('Type a question, or help. Ctrl-C stops an answer, exit quits.')
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
        const meant = readInput(typed, this.#agent)
        if (meant.type === 'exit') return
        await this.#interruptible(input, (session) => this.#do(meant, session))
      }
    } finally {
      input.close()
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
    input.whileBusy(interrupt)
    const { terminal, signal } = this.#session
    try {
      this.#session = await this.#session.renewed()
      const session = { ...this.#session, signal: AbortSignal.any([signal, stop.signal]) }
      await sharing(session, () => run(session))
    } catch (error) {
      if (stop.signal.aborted) terminal.note(terminal.accent('yellow', 'stopped'))
      else
        await reportFailure(error, false, {
          help: () => 'help',
          takesText: () => false,
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
      case 'unsure':
        return terminal.note(
          `Did you mean ${meant.meant}? Nothing was asked. To ask the agent this text: ask ${inert(meant.typed)}`,
        )
      case 'ask':
        if (this.#agent === null)
          return terminal.note(
            'No current agent: use ID selects one, create ID "PROMPT" creates one, list shows them.',
          )
        return printReply(session, this.#agent, { prompt: meant.prompt }, {})
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
    const { baseDir, color, logLevel, config } = this.#globals
    const program = this.#makeProgram()
    program.setOptionValue('baseDir', baseDir)
    program.setOptionValue('logLevel', logLevel)
    if (!color) program.setOptionValue('color', false)
    if (config.file !== null) program.setOptionValue('config', config.file)
    return program
  }

  #help(): void {
    const { terminal } = this.#session
    const rows: readonly (readonly [string, string])[] = [
      ['TEXT, ask TEXT', 'ask the current agent; pasted text is one prompt'],
      ['use ID', 'select the current agent'],
      ...Object.values(SHORT_COMMANDS).map(({ usage, means }) => [usage, means] as const),
      ['exit', 'quit (also: Ctrl-D)'],
    ]
    for (const [usage, means] of rows)
      terminal.line(`  ${usage.padEnd(20)}${terminal.style('dim', inert(means))}`)
  }

  async #complete(text: string): Promise<readonly string[]> {
    const words = text.trimStart().split(/\s+/)
    const [first = '', ...rest] = words
    if (words.length === 1) return [...OWN_WORDS, ...Object.keys(SHORT_COMMANDS)]
    const { orchestrator } = this.#session
    if (first === 'use' || first === 'remove') return (await orchestrator.agents()).map(({ id }) => id)
    const given = SHORT_COMMANDS[first]?.words(rest, null)
    if (!given) return []
    return sharing(this.#session, () => candidates(this.#program(), given))
  }
}
