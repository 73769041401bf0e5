/** What a fleet came to: a row a task, as data and as a report. */
import { systemClock } from '../../clock.ts'
import { AgentNotFoundError } from '../../events/errors/agent.ts'
import { shellWord } from '../../events/errors/phrases.ts'
import { dollars, plural } from '../../events/figures.ts'
import type { StepLanding } from '../../events/options/landing.ts'
import type { Orchestrator } from '../../orchestrator.ts'
import { fleetTasks } from '../../patterns/fleet.ts'
import type { WorkflowResult } from '../../patterns/runs/workflow-result.ts'
import type { WorkflowReference } from '../../workflows/pattern.ts'
import type { FileChange } from '../../workspaces/files/file-history.ts'
import { type Block, MARKDOWN, PAGE, printed } from '../terminal/document.ts'
import { cut } from '../terminal/text.ts'

export interface FleetReport {
  readonly runId: string
  /** How the work was to land; null if it was not. */
  readonly land: StepLanding | null
  readonly tasks: readonly TaskReport[]
}

interface TaskReport {
  readonly agent: string
  readonly task: string
  readonly outcome: 'succeeded' | 'failed' | 'cancelled' | 'waiting'
  readonly costUsd: number
  readonly changes: readonly FileChange[]
  readonly landed: boolean
  /** null if the repository has none: nothing was done yet. */
  readonly branch: string | null
  /** What the agent said; empty if it gave no answer. */
  readonly answer: string
  /** Why there is no answer, why it did not land, or what the user can do about where it landed. */
  readonly problem: string | null
}

/** The report of a run; null if it is no fleet. */
export async function fleetReport(
  orchestrator: Orchestrator,
  { metadata: { runId }, results, errors }: WorkflowResult,
): Promise<FleetReport | null> {
  const { runs, landings } = orchestrator
  const { workflow, taken } = await runs.show(runId)
  if (workflow?.kind !== 'fleet') return null
  const { tasks, name, land, repo } = workflow as WorkflowReference & { readonly kind: 'fleet' }
  const members = fleetTasks(tasks, name)
  const branches = new Map<string, string | null>()
  for (const { id } of members) branches.set(id, await branchOf(orchestrator, repo, id))
  const { agents } = await runs.diff(runId)
  const entries = land === undefined ? [] : await landings.list()
  const changes = new Map(agents.map(({ agent, files }) => [agent, files]))
  return {
    runId,
    land: land ?? null,
    tasks: members.map(({ id, task }): TaskReport => {
      const steps = taken.filter(({ agent }) => agent === id)
      const { state = 'scheduled', problem = null } = steps.at(-1) ?? {}
      // Of work that was answered: it did not land.
      const error = errors.find(({ agent }) => agent === id)
      return {
        agent: id,
        task,
        outcome: state === 'scheduled' ? 'waiting' : state,
        costUsd: steps.reduce((sum, { costUsd }) => sum + costUsd, 0),
        changes: changes.get(id) ?? [],
        landed: land !== undefined && state === 'succeeded' && error === undefined,
        branch: branches.get(id) ?? null,
        answer: results[id] ?? '',
        // Landed work has a reason if it is not where it should be.
        problem: error?.message ?? problem ?? entries.findLast(({ agent }) => agent === id)?.reason ?? null,
      }
    }),
  }
}

/** Where the work of an agent is. */
async function branchOf(orchestrator: Orchestrator, repo: string, id: string): Promise<string | null> {
  const agent = await orchestrator.agent(id).catch((error) => {
    if (!(error instanceof AgentNotFoundError)) throw error
    return undefined
  })
  const branch = agent?.snapshot.context.config?.workspace?.branch ?? `claude-agents/${id}`
  const { landingOperations } = await import('../../workspaces/files/landing.ts')
  const { tipOf } = landingOperations(orchestrator.baseDir, systemClock)
  // A repository that is gone has none.
  return (await tipOf(repo, branch).catch(() => null)) === null ? null : branch
}

/** What to type next, for each kind of work that is not done. */
export function nextSteps({ runId, tasks, land }: FleetReport): readonly string[] {
  const isAnswered = ({ outcome }: TaskReport) => outcome === 'succeeded'
  const retry = tasks.every(isAnswered) ? [] : [`Retry what failed: claude-agents workflow resume ${runId}`]
  const left = land === null ? [] : tasks.filter((task) => isAnswered(task) && !task.landed)
  if (land === null || left.length === 0) return retry
  const { into, gate, squash } = land
  const words = [
    ...left.map(({ agent }) => agent),
    ...(into === undefined ? [] : ['--into', into]),
    ...(gate === undefined ? [] : ['--gate', gate]),
    ...(squash ? ['--squash'] : []),
  ]
  return [
    ...retry,
    `To land the rest, once you have looked at it: claude-agents land ${words.map(shellWord).join(' ')}`,
  ]
}

/** The shape of `--json`. */
export const jsonReport = ({ runId, tasks }: FleetReport) => ({
  runId,
  tasks: tasks.map(({ agent, task, outcome, costUsd, changes, landed, branch }) => ({
    ...{ agent, task, outcome, costUsd, ...sums(changes), landed, branch },
  })),
})

function sums(changes: readonly FileChange[]) {
  const sum = (of: 'added' | 'removed') => changes.reduce((total, file) => total + (file[of] ?? 0), 0)
  return { files: changes.length, added: sum('added'), removed: sum('removed') }
}

const stateOf = ({ outcome, landed }: TaskReport) => (landed ? 'landed' : outcome)

function stat(changes: readonly FileChange[]): string {
  const { files, added, removed } = sums(changes)
  return files === 0 ? 'nothing' : `${plural(files, 'file')}, +${added} −${removed}`
}

function headline({ tasks, land }: FleetReport): string {
  const done = tasks.filter(({ outcome }) => outcome === 'succeeded').length
  const cost = tasks.reduce((sum, { costUsd }) => sum + costUsd, 0)
  const landed = land ? `, ${tasks.filter((task) => task.landed).length} landed` : ''
  return `${done} of ${plural(tasks.length, 'task')} succeeded${landed}, ${dollars(cost)}`
}

/** In characters, of a task in a table. */
const LONGEST_TASK = 100
/** It ends with the command that takes the work over, which names a directory and a branch twice. */
const LONGEST_PROBLEM = 2000

const titleOf = ({ runId }: FleetReport): string => `Fleet ${runId}`

export const markdownReport = (report: FleetReport): string =>
  printed(MARKDOWN, titleOf(report), overview(report))

export const pageReport = (report: FleetReport): string => printed(PAGE, titleOf(report), fleetBlocks(report))

/** A row a task, and why something has not landed. */
function overview(report: FleetReport): readonly Block[] {
  const { tasks } = report
  const rows = tasks.map((row) => [
    cut(row.task, LONGEST_TASK),
    stateOf(row),
    dollars(row.costUsd),
    stat(row.changes),
    row.branch ?? '',
  ])
  const problems = [...problemsIn(tasks)].map(([problem, agents]) => {
    const [first = '', ...lines] = problem.split('\n')
    // Not cut if it fits: two spaces in the path of a command are two.
    const said = first.length > LONGEST_PROBLEM ? cut(first, LONGEST_PROBLEM) : first
    return [`${agents.join(', ')}: ${said}`, ...lines].join('\n')
  })
  return [
    { paragraph: `${headline(report)}.` },
    { columns: [TASK, { head: 'Outcome' }, COST, { head: 'Changes' }, { head: 'Branch' }], rows },
    ...(problems.length === 0 ? [] : [{ items: problems }]),
  ]
}

const TASK = { head: 'Task' }
const COST = { head: 'Cost', right: true }

/** What is the same for several agents is said once: one command takes over the work of all. */
function problemsIn(tasks: readonly TaskReport[]): ReadonlyMap<string, readonly string[]> {
  const problems = new Map<string, readonly string[]>()
  for (const { agent, problem } of tasks)
    if (problem !== null) problems.set(problem, [...(problems.get(problem) ?? []), agent])
  return problems
}

/** A row a task, and each task with all that is known of it. */
export function fleetBlocks(report: FleetReport): readonly Block[] {
  const { tasks } = report
  const rows = tasks.map((row, index) => [
    { text: cut(row.task, LONGEST_TASK), to: `task-${index + 1}` },
    { text: stateOf(row), tone: row.outcome },
    dollars(row.costUsd),
    stat(row.changes),
    row.agent,
    { text: row.branch ?? '', isCode: true },
  ])
  const heads = ['Changes', 'Agent', 'Branch'].map((head) => ({ head }))
  return [
    { paragraph: `${headline(report)}.` },
    { columns: [TASK, { head: 'Outcome' }, COST, ...heads], rows },
    ...tasks.flatMap(({ task, answer, problem, changes }, index): readonly Block[] => [
      { heading: cut(task, LONGEST_TASK), id: `task-${index + 1}` },
      { text: task },
      ...(problem === null ? [] : [{ paragraph: problem, tone: 'failed' }]),
      ...fileTable(changes),
      ...(answer === '' ? [] : [{ text: answer, summary: 'Answer' }]),
    ]),
  ]
}

/** What was done to each file; nothing if nothing was. */
export function fileTable(changes: readonly FileChange[]): readonly Block[] {
  if (changes.length === 0) return []
  const figures = ['Added', 'Removed'].map((head) => ({ head, right: true }))
  const rows = changes.map(({ path, status, added, removed }) => [
    { text: path, isCode: true },
    status,
    String(added ?? 'binary'),
    String(removed ?? 'binary'),
  ])
  return [{ columns: [{ head: 'File' }, { head: 'Change' }, ...figures], rows }]
}
