/** The words of `workflow run | template | list | show | resume | cancel`; what they do is loaded when it is needed. */
import { type Command, Option } from 'commander'
import { count } from '../arguments.ts'
import type { Act, GivenOptions, GlobalOptions } from '../global-options.ts'
import type { SourceOptions } from './source.ts'

export function addWorkflowCommands(program: Command, act: Act): void {
  const workflow = program.command('workflow').description('let agents work together, in runs that survive')
  /** The file of `--config`, where workflows have names. */
  const config = () => {
    const { config } = program.opts<GivenOptions>()
    return config === undefined ? {} : { config }
  }
  const running = (doing: (commands: typeof import('./run.ts'), globals: GlobalOptions) => Promise<void>) =>
    act(async (globals) => doing(await import('./run.ts'), globals))
  const looking = (doing: (commands: typeof import('./runs.ts'), globals: GlobalOptions) => Promise<void>) =>
    act(async (globals) => doing(await import('./runs.ts'), globals))

  withSource(withPattern(workflow.command('run').argument('[words...]')))
    .usage('<agents...> <task> [options]')
    .description(
      'run a workflow of agents (worker:4 is a pool of four copies); with - as the task, it is read from stdin',
    )
    .option('--id <id>', 'a name for the run: run again under the same one, it goes on and repeats nothing')
    .action((words: string[], options: SourceOptions & { id?: string }) =>
      running((commands, globals) => commands.run(globals, words, { ...options, ...config() })),
    )
  workflow
    .command('template <name> [input]')
    .description('run research, code-review or brainstorm; agents that are missing are created; - is stdin')
    .option('--file <file>', 'add the text of a file to the input')
    .option('--id <id>', 'a name for the run: run again under the same one, it goes on and repeats nothing')
    .action((name: string, input: string | undefined, options: { file?: string; id?: string }) =>
      running((commands, globals) => commands.template(globals, name, input, options)),
    )
  workflow
    .command('list')
    .description('list the runs')
    .action(() => looking((commands, globals) => commands.list(globals)))
  workflow
    .command('show <run>')
    .description('show the steps of a run, and what came of it')
    .action((run: string) => looking((commands, globals) => commands.show(globals, run)))
  withSource(workflow.command('resume <run>'))
    .description(
      'go on with a run that was paused, failed or left by a crash; what was answered is not asked again',
    )
    .option('--plan', 'only say what would be taken from the log, and what would be asked')
    .action((run: string, options: SourceOptions & { plan?: boolean }) =>
      running((commands, globals) => commands.resume(globals, run, { ...options, ...config() })),
    )
  workflow
    .command('cancel <run>')
    .description('end a run for good')
    .action((run: string) => looking((commands, globals) => commands.cancel(globals, run)))
}

/** Where a workflow comes from that is more than agents and a pattern. */
const withSource = (command: Command) =>
  command
    .addOption(new Option('--workflow <name>', 'a workflow of the configuration file').conflicts(['pattern']))
    .addOption(
      new Option('--module <file>', 'a JavaScript file that exports patterns: its code is run').conflicts([
        'pattern',
        'workflow',
      ]),
    )
    .option('--export <name>', 'which export of the module (default unless told)')

const withPattern = (command: Command) =>
  command
    .option(
      '--pattern <name>',
      'sequential (unless told), parallel, pipeline, hierarchical, race, vote, debate, route or map-reduce',
    )
    .option('--concurrency <n>', 'how many may work at the same time', count)
    .addOption(
      new Option('--on-error <what>', 'parallel: what the failure of one does').choices(['collect', 'fail']),
    )
    .option('--rounds <n>', 'debate: the most drafts', count)
    .option('--votes <n>', 'vote: how often each voter is asked', count)
    .option('--judge <agent>', 'vote: who decides, instead of the majority')
    .option('--fallback <agent>', 'route: who is asked when nobody was chosen')
    .addOption(new Option('--split <what>', 'map-reduce: what a piece is').choices(['paragraphs', 'lines']))
