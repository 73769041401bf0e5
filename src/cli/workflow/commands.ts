/** `workflow`: runs of several agents, started, resumed, listed, reported and cancelled. */
import { type Command, Option } from 'commander'
import { oneOrMore } from '../arguments.ts'
import { withGlobals } from '../global-options.ts'
import { diffRun } from './diff.ts'
import { reportRun } from './report.ts'
import { resumeRun, runTemplate, runWorkflow } from './run.ts'
import { cancelRun, listRuns, showRun } from './runs.ts'

const RUN_ID = 'id of the run; running again under the same id continues it and repeats nothing'

const LEFT = 'print the id of the run, and leave it to the owner in the background'

const sessionOption = () =>
  new Option(
    '--session <which>',
    'conversations its steps continue: of this run (default), of the agents (chain), or none (fresh)',
  ).choices(['run', 'chain', 'fresh'])

export function workflowCommands(workflow: Command): void {
  withSource(withPattern(workflow.command('run').argument('[words...]')))
    .usage('<agents...> <task> [options]')
    .description(
      'run agents as a workflow (worker:4 is a pool of four copies); with - as the task, read it from stdin; text piped in is appended to it',
    )
    .option('--id <id>', RUN_ID)
    .option('--detach', LEFT)
    .addOption(sessionOption())
    .action(withGlobals(runWorkflow))
  workflow
    .command('template <name> [input]')
    .description(
      'run research, code-review or brainstorm, creating missing agents; - reads stdin, and text piped in is appended',
    )
    .option('--file <file>', 'append the text of a file to the input')
    .option('--id <id>', RUN_ID)
    .option('--detach', LEFT)
    .addOption(sessionOption())
    .action(withGlobals(runTemplate))
  workflow
    .command('list')
    .alias('ls')
    .description('list runs, the newest first')
    .action(withGlobals(listRuns))
  workflow
    .command('show <run>')
    .description('show the steps of a run and its result')
    .action(withGlobals(showRun))
  workflow
    .command('report <run>')
    .description('write what a run came to, with every prompt and answer, as Markdown or as a page')
    .option('--html', 'as a page of its own (the default for a file that ends with .html)')
    .option('--output <file>', 'write it into a file')
    .option('--force', 'overwrite an existing file')
    .action(withGlobals(reportRun))
  workflow
    .command('diff <run>')
    .description('show what the agents of a run did in it to their files')
    .option('--stat', 'only how many lines of each file')
    .action(withGlobals(diffRun))
  withSource(workflow.command('resume <run>'))
    .description('resume a run that was paused, failed or crashed; recorded answers are not asked again')
    .option('--plan', 'only show which answers would be reused and which steps asked')
    .option('--accept-changes', 'resume it even if its workflow has changed since')
    .action(withGlobals(resumeRun))
  workflow
    .command('cancel <run>')
    .description('cancel a run; it cannot be resumed')
    .action(withGlobals(cancelRun))
}

/** Where a workflow other than agents and a pattern comes from. */
const withSource = (command: Command) =>
  command
    .addOption(new Option('--workflow <name>', 'workflow of the configuration file').conflicts(['pattern']))
    .addOption(
      new Option('--module <file>', 'JavaScript file that exports patterns (its code runs)').conflicts([
        'pattern',
        'workflow',
      ]),
    )
    .option('--export <name>', 'export of the module (default: default)')

const withPattern = (command: Command) =>
  command
    .option(
      '--pattern <name>',
      'sequential (default), parallel, pipeline, hierarchical, race, vote, debate, route or map-reduce',
    )
    .option('--concurrency <n>', 'how many agents may work at once', oneOrMore)
    .addOption(
      new Option('--on-error <what>', 'parallel: what to do when one fails').choices(['collect', 'fail']),
    )
    .option('--rounds <n>', 'debate: most drafts', oneOrMore)
    .option('--votes <n>', 'vote: how often to ask each voter', oneOrMore)
    .option('--judge <agent>', 'vote: agent that decides instead of the majority')
    .option('--fallback <agent>', 'route: agent to ask when none was chosen')
    .addOption(
      new Option('--split <what>', 'map-reduce: how to split the task').choices(['paragraphs', 'lines']),
    )
