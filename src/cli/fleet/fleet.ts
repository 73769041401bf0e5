/** `fleet`: each task to an agent with a worktree of its own, as one run, with a report at the end. */
import { randomUUID } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { type Command, InvalidArgumentError } from 'commander'
import { systemClock } from '../../clock.ts'
import { AgentExistsError } from '../../events/errors/agent.ts'
import { RunNotFoundError } from '../../events/errors/run.ts'
import { InvalidInputError } from '../../events/errors/usage.ts'
import { plural } from '../../events/figures.ts'
import { checkId } from '../../events/ids.ts'
import { defined } from '../../events/json.ts'
import type { Budget } from '../../events/options/budget.ts'
import type { StepLanding } from '../../events/options/landing.ts'
import { type FleetOptions, type FleetTask, fleet, fleetTasks } from '../../patterns/fleet.ts'
import { listedNames, oneOrMore } from '../arguments.ts'
import { type GlobalOptions, withGlobals } from '../global-options.ts'
import { checkFolder, type OverwriteOptions, refuseToOverwrite } from '../overwriting.ts'
import type { Session } from '../session.ts'
import { terminal } from '../terminal/output.ts'
import { cut } from '../terminal/text.ts'
import { startRun } from '../workflow/run.ts'
import { type FleetReport, markdownReport, pageReport } from './report.ts'
import { type GivenTasks, givenTasks } from './tasks.ts'

export function fleetCommand(command: Command): void {
  command
    .argument('[tasks...]')
    .description(
      'give each task to an agent with a worktree of its own, and report what became of them; with - as the task, read tasks from stdin; text piped in is appended to every task',
    )
    .option('--repo <directory>', 'the git repository', '.')
    .option('--from <file>', 'tasks of a file, or of stdin with -: one a line, or a list in YAML or JSON')
    .option('--base <ref>', 'the commit that the work begins from (default: HEAD)')
    .option('--land', 'land the work of each task that succeeds')
    .option(
      '--into <branch>',
      'with --land: the branch to land on (default: the one that the work began from)',
    )
    .option('--gate <command>', 'with --land: a command that has to succeed on the merged files')
    .option('--squash', 'with --land: make one commit of the work of a task')
    .option('--concurrency <n>', 'how many agents may work at once', oneOrMore)
    .option('--budget <limits>', 'the most that the run may spend: usd=5 or usd=5,tokens=200000', limits)
    .option('--model <name>', 'model to use')
    .option('--tools <names...>', 'tools that the agents may use without asking', listedNames)
    .option('--approve <rules...>', 'tools of which you decide each call, in the inbox', listedNames)
    .option('--questions', 'let the agents ask you questions, in the inbox')
    .option('--id <id>', 'id of the run; running again under the same id continues it and repeats nothing')
    .option('--detach', 'print the id of the run, and leave it to the owner in the background')
    .option('--report <file>', 'write the report as Markdown')
    .option('--html <file>', 'write the report as a page')
    .option('--force', 'overwrite existing files')
    .action(withGlobals(runFleet))
}

interface FleetCommandOptions extends OverwriteOptions {
  readonly repo: string
  readonly from?: string
  readonly base?: string
  readonly land?: boolean
  readonly into?: string
  readonly gate?: string
  readonly squash?: boolean
  readonly concurrency?: number
  readonly budget?: Budget
  readonly model?: string
  readonly tools?: readonly string[]
  readonly approve?: readonly string[]
  readonly questions?: boolean
  readonly id?: string
  readonly detach?: boolean
  readonly report?: string
  readonly html?: string
}

async function runFleet(globals: GlobalOptions, words: readonly string[], options: FleetCommandOptions) {
  const { id = randomUUID(), budget, detach } = options
  checkId('run', id)
  if (detach && (options.report ?? options.html) !== undefined) {
    const problem = 'it leaves no process that writes a report'
    const hint = 'Get the report when the run has ended: claude-agents wait RUN > report.md'
    throw new InvalidInputError({ what: '--detach', problem, hint })
  }
  const files = await reportFiles(options)
  const given = await givenTasks(words, options.from, terminal(globals).note)
  const tasks = fleetTasks(given.tasks, id)
  const made = await fleetOf(tasks, options, globals)
  const titles = cut(tasks.map(({ task }) => task).join('; '), LONGEST_TITLE)
  const input = { prompt: `${plural(tasks.length, 'task')}: ${titles}`, ...textOf(given.textInput) }
  await startRun(globals, { kind: 'fleet', tasks, ...made }, input, defined({ id, budget, detach }), {
    check: (session) => refuseOthersAgents(session, id, given.tasks),
    ...(made.land && { watch: (session) => watchLandings(session, new Set(tasks.map((task) => task.id))) }),
    report: (report) => writeReport(files, report),
  })
}

/** Says where the work of these agents stands on its way to a branch. */
function watchLandings(
  { orchestrator, terminal }: Session,
  agents: ReadonlySet<string | undefined>,
): () => void {
  const changes = orchestrator.landings.changes().subscribe({
    next: ({ agent, status }) => agents.has(agent) && terminal.progress(`${agent}: ${status}`),
    // The run says so as well.
    error: () => {},
  })
  return () => changes.unsubscribe()
}

const textOf = (textInput: string | undefined) => defined({ textInput })

/** In characters. */
const LONGEST_TITLE = 200

/** Throws InvalidInputError before a store is made: for a wrong option, and for what is not in the repository. */
async function fleetOf(
  tasks: readonly FleetTask[],
  { repo, base, concurrency, model, tools, approve, questions, ...words }: FleetCommandOptions,
  { baseDir }: GlobalOptions,
): Promise<FleetOptions> {
  const agents = defined({ model, allowedTools: tools, approveTools: approve, questions })
  const options = defined({ repo: resolve(repo), base, concurrency, agents, land: landingOf(words) })
  fleet(tasks, options)
  const { filesOperations } = await import('../../workspaces/files/operations.ts')
  const { landingOperations } = await import('../../workspaces/files/landing.ts')
  const files = filesOperations(systemClock)
  const landing = landingOperations(resolve(baseDir), systemClock)
  let found = options.repo
  for (const one of new Set(tasks.map((task) => task.base ?? base ?? 'HEAD'))) {
    found = (await files.resolve({ repo: options.repo, base: one, branch: '' })).repo
    if (options.land) await landing.targetOf(found, options.land.into, one)
  }
  return { ...options, repo: found }
}

function landingOf({
  land,
  into,
  gate,
  squash,
}: Pick<FleetCommandOptions, 'land' | 'into' | 'gate' | 'squash'>): StepLanding | undefined {
  const options = defined({ into, gate, squash })
  const [option] = Object.keys(options)
  if (!land && option !== undefined)
    throw new InvalidInputError({
      what: `--${option}`,
      problem: 'it needs --land',
      hint: 'Without it, work stays on its branch.',
    })
  return land ? options : undefined
}

/** Throws AgentExistsError: the agents of a fleet are its own. Those that are named after the run are. */
async function refuseOthersAgents(
  { orchestrator }: Session,
  runId: string,
  given: GivenTasks['tasks'],
): Promise<void> {
  const ids = new Set(given.map((task) => (typeof task === 'string' ? undefined : task.id)))
  const taken = (await orchestrator.agents()).find(({ id }) => ids.has(id))
  if (!taken) return
  const isKnown = await orchestrator.runs.show(runId).then(
    () => true,
    (error) => {
      if (error instanceof RunNotFoundError) return false
      throw error
    },
  )
  if (!isKnown) throw new AgentExistsError({ agent: taken.id })
}

/** `usd=5`, `usd=5,tokens=200000` */
function limits(text: string): Budget {
  const pairs = text.split(',').map((part) => /^(usd|tokens)=(\d{1,15}(?:\.\d{1,9})?)$/.exec(part))
  if (pairs.some((pair) => pair === null))
    throw new InvalidArgumentError('Write it as usd=5 or usd=5,tokens=200000.')
  return Object.fromEntries(pairs.map((pair) => [pair?.[1], Number(pair?.[2])]))
}

type ReportFiles = readonly (readonly [file: string, write: (report: FleetReport) => string])[]

/** Checked before anything is asked: a report that cannot be written has cost money all the same. */
async function reportFiles({ report, html, force }: FleetCommandOptions): Promise<ReportFiles> {
  const files = [
    ...(report === undefined ? [] : [['--report', report, markdownReport] as const]),
    ...(html === undefined ? [] : [['--html', html, pageReport] as const]),
  ]
  for (const [option, file] of files) {
    await checkFolder(option, file)
    refuseToOverwrite(file, force)
  }
  return files.map(([, file, write]) => [file, write])
}

async function writeReport(files: ReportFiles, report: FleetReport): Promise<void> {
  for (const [file, write] of files) await writeFile(file, `${write(report).trimEnd()}\n`)
}
