/** The words of `state`, `replay`, `diff`, `why`, `fork`, `rerun` and `stats`; what they do is loaded when it is needed. */
import { type Command, Option } from 'commander'
import { date, wholeNumber } from '../arguments.ts'
import type { Act } from '../global-options.ts'

export function addHistoryCommands(program: Command, act: Act): void {
  program
    .command('state <stream>')
    .description('show the state of an agent, a run or a supervisor: now, or as it was')
    .option('--at <version>', 'after the fact of this version', wholeNumber)
    .addOption(
      new Option('--at-time <time>', 'at this time, as in 2026-01-31T12:00:00Z')
        .argParser(date)
        .conflicts('at'),
    )
    .action((stream, options) =>
      act(async (globals) => (await import('./state.ts')).state(globals, stream, options)),
    )
  program
    .command('diff <stream> <a> <b>')
    .description('show what changed between two versions of a stream (0 is before the first)')
    .action((stream: string, a: string, b: string) =>
      act(async (globals) => (await import('./state.ts')).diff(globals, stream, a, b)),
    )
  program
    .command('replay [stream]')
    .description('go through the history of a stream: each fact, and what it changed')
    .option('--from <version>', 'from this version on', wholeNumber)
    .option('--to <version>', 'up to this version', wholeNumber)
    .option('--module <file>', 'a module that exports definitions of actors of your own (its code runs)')
    .option('--step', 'step by step, forwards and backwards, with the keyboard')
    .option(
      '--verify',
      'fold everything again and compare with what was recorded; exit code 1 where it diverges',
    )
    .option('--all', 'with --verify: every stream (so does no stream at all)')
    .action((stream, options) =>
      act(async (globals) => (await import('./replay.ts')).replay(globals, stream, options)),
    )
  program
    .command('why <position>')
    .description('show what led to a fact, back to the command, through agents and runs')
    .option('--forward', 'show what it led to')
    .action((position: string, options: { forward?: boolean }) =>
      act(async (globals) => (await import('./why.ts')).why(globals, position, options)),
    )
  program
    .command('fork [agent]')
    .description('branch off an agent at a version, or a run at a step; the original stays as it is')
    .option('--at <place>', 'the version of the agent (now unless told), or the step of the run')
    .option('--as <id>', 'the id of the new agent or run')
    .addOption(new Option('--run <run>', 'a run: what was answered before the step is taken over'))
    .action((agent, options) =>
      act(async (globals) => (await import('./fork.ts')).fork(globals, agent, options)),
    )
  program
    .command('rerun <task>')
    .description('ask a task of the past again, as a new one')
    .option('--edit', 'change the prompt first, in $VISUAL or $EDITOR')
    .action((task: string, options: { edit?: boolean }) =>
      act(async (globals) => (await import('./fork.ts')).rerun(globals, task, options)),
    )
  program
    .command('stats')
    .description('tasks, failures, retries, times, tokens and cost')
    .addOption(
      new Option('--by <what>', 'what a line is about').choices(['agent', 'run', 'day']).default('agent'),
    )
    .option('--csv', 'print comma-separated values')
    .action((options) => act(async (globals) => (await import('./stats.ts')).stats(globals, options)))
}
