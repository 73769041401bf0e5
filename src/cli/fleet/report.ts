/** What a fleet came to: a row a task, as data, as Markdown, and as a page of its own. */
import { systemClock } from '../../clock.ts'
import { shellWord } from '../../events/errors/phrases.ts'
import { dollars, plural } from '../../events/figures.ts'
import type { StepLanding } from '../../events/options/landing.ts'
import type { Orchestrator } from '../../orchestrator.ts'
import { fleetTasks } from '../../patterns/fleet.ts'
import type { WorkflowResult } from '../../patterns/runs/workflow-result.ts'
import type { WorkflowReference } from '../../workflows/pattern.ts'
import type { FileChange } from '../../workspaces/files/file-history.ts'
import { cut, inert } from '../terminal/text.ts'

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
  const agent = await orchestrator.agent(id).catch(() => undefined)
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

export function markdownReport(report: FleetReport): string {
  const { runId, tasks } = report
  const rows = tasks.map((row) =>
    [cut(row.task, LONGEST_TASK), stateOf(row), dollars(row.costUsd), stat(row.changes), row.branch ?? '']
      .map(plain)
      .join(' | '),
  )
  const problems = [...problemsIn(tasks)].flatMap(([problem, agents]) => {
    const [first = '', ...lines] = problem.split('\n')
    // Lines that are indented are text as it is.
    const quoted = lines.map((line) => `      ${inert(line)}`.trimEnd())
    const said = `- ${agents.map(plain).join(', ')}: ${plain(cut(first, LONGEST_PROBLEM))}`
    return quoted.length === 0 ? [said] : [said, '', ...quoted, '']
  })
  return [
    `# Fleet ${plain(runId)}`,
    '',
    `${headline(report)}.`,
    '',
    '| Task | Outcome | Cost | Changes | Branch |',
    '|---|---|---:|---|---|',
    ...rows.map((row) => `| ${row} |`),
    ...(problems.length === 0 ? [] : ['', ...problems]),
  ].join('\n')
}

/** What is the same for several agents is said once: one command takes over the work of all. */
function problemsIn(tasks: readonly TaskReport[]): ReadonlyMap<string, readonly string[]> {
  const problems = new Map<string, readonly string[]>()
  for (const { agent, problem } of tasks)
    if (problem !== null) problems.set(problem, [...(problems.get(problem) ?? []), agent])
  return problems
}

/** Text from outside on one line of Markdown, which means nothing there. */
const plain = (text: string): string =>
  inert(text)
    .replace(/\s+/g, ' ')
    .trim()
    .replace(/[\\`*[\]<>|&#~]/g, '\\$&')
    .replace(/(?<![a-z0-9])_|_(?![a-z0-9])/gi, '\\_')

/** A page that loads nothing and runs nothing. */
export function pageReport(report: FleetReport): string {
  const { runId, tasks } = report
  const rows = tasks.map(
    (row, index) => `<tr>
<td><a href="#task-${index + 1}">${html(cut(row.task, LONGEST_TASK))}</a></td>
<td class="${row.outcome}">${stateOf(row)}</td>
<td class="figure">${dollars(row.costUsd)}</td>
<td>${html(stat(row.changes))}</td>
<td>${html(row.agent)}</td>
<td>${row.branch === null ? '' : `<code>${html(row.branch)}</code>`}</td>
</tr>`,
  )
  const details = tasks.map(
    ({ task, answer, problem, changes }, index) => `<section id="task-${index + 1}">
<h2>${html(cut(task, LONGEST_TASK))}</h2>
<pre>${html(task)}</pre>
${problem === null ? '' : `<p class="problem failed">${html(problem)}</p>`}
${changes.length === 0 ? '' : fileTable(changes)}
${answer === '' ? '' : `<details><summary>Answer</summary><pre>${html(answer)}</pre></details>`}
</section>`,
  )
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Fleet ${html(runId)}</title>
<style>${STYLE}</style>
</head>
<body>
<h1>Fleet ${html(runId)}</h1>
<p>${html(headline(report))}.</p>
<table>
<thead><tr><th>Task</th><th>Outcome</th><th>Cost</th><th>Changes</th><th>Agent</th><th>Branch</th></tr></thead>
<tbody>
${rows.join('\n')}
</tbody>
</table>
${details.join('\n')}
</body>
</html>
`
}

const fileTable = (changes: readonly FileChange[]) => `<table>
<thead><tr><th>File</th><th>Change</th><th>Added</th><th>Removed</th></tr></thead>
<tbody>
${changes
  .map(
    ({ path, status, added, removed }) =>
      `<tr><td><code>${html(path)}</code></td><td>${status}</td><td class="figure">${added ?? 'binary'}</td><td class="figure">${removed ?? 'binary'}</td></tr>`,
  )
  .join('\n')}
</tbody>
</table>`

const STYLE = `:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;vertical-align:top;padding:.3rem .6rem;border-bottom:1px solid #8884}
.figure{text-align:right;font-variant-numeric:tabular-nums}
.problem{white-space:pre-wrap}
pre{white-space:pre-wrap;overflow-wrap:anywhere;background:#8881;padding:.6rem}
.succeeded{color:#1a7f37}.failed{color:#cf222e}.cancelled,.waiting{color:#9a6700}`

const ENTITIES: Readonly<Record<string, string>> = {
  ...{ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' },
}

/** Text from outside as text of a page. */
const html = (text: string): string => inert(text).replace(/[&<>"']/g, (sign) => ENTITIES[sign] ?? '')
