/** The tools for workflows: which there are, a run of one, resuming it, and what runs have done. */
import * as Schema from 'effect/Schema'
import { systemClock } from '../../clock.ts'
import { loadConfig } from '../../config/configuration.ts'
import { RunNotFoundError } from '../../events/errors/run.ts'
import { InvalidInputError } from '../../events/errors/usage.ts'
import { dollars } from '../../events/figures.ts'
import { defined } from '../../events/json.ts'
import {
  excerpt,
  morePages,
  PAGE_FIELDS,
  pageOf,
  shortened,
  type ToolCall,
  type ToolResult,
  textTo,
  wholeTo,
} from '../../mcp/tool.ts'
import type { Run } from '../../patterns/runs/run.ts'
import { TEMPLATES, templateNamed, type WorkflowReference } from '../../workflows/pattern.ts'
import { whenHeld } from '../workflow/holds.ts'
import { stepsInWords } from '../workflow/runs.ts'
import { givenReference } from '../workflow/source.ts'
import { begun, DETACH, endedRun, LONGEST_INPUT, waits } from './tasks.ts'
import { type ToolTeam, tool } from './team.ts'

const runId = textTo(70, 'The id of the run.')

export const listWorkflows = tool({
  name: 'list_workflows',
  title: 'List workflows',
  description:
    'Lists the workflows that run_workflow can run: the templates, and those of the configuration file.',
  effect: 'reads',
  fields: PAGE_FIELDS,
  async run(page, { team }) {
    const { workflows = [] } = await loadConfig(
      defined({ file: team.configFile, untrusted: 'load' as const }),
    )
    const templates = Object.keys(TEMPLATES)
    const { entries: named, ...rest } = pageOf(
      workflows.map(({ name }) => shortened(name, 200)),
      page,
    )
    const text = `Templates: ${templates.join(', ')}\nWorkflows: ${named.join(', ') || 'none'}`
    return { text: text + morePages(rest), data: { templates, workflows: named, ...rest } }
  },
})

export const runWorkflowTool = tool({
  name: 'run_workflow',
  title: 'Run a workflow',
  description:
    'Runs several agents together and waits for the result, which costs money and may take many minutes. Give exactly one of workflow, template and agents. Cancelling this call pauses the run, which resume_run continues. For long work set detach, and call wait.',
  effect: 'adds',
  fields: {
    input: textTo(LONGEST_INPUT, 'The task of the workflow.'),
    workflow: Schema.optionalKey(textTo(200, 'A workflow of the configuration file.')),
    template: Schema.optionalKey(
      textTo(64, `A template: ${Object.keys(TEMPLATES).join(', ')}. It creates the agents that it needs.`),
    ),
    agents: Schema.optionalKey(
      Schema.Array(textTo(80, 'The id of an agent, or agent:4 for four copies of it.'))
        .check(Schema.isMinLength(1), Schema.isMaxLength(64))
        .annotate({ description: 'Agents to run by a pattern, in this order.' }),
    ),
    pattern: Schema.optionalKey(
      Schema.Literals([
        'sequential',
        'parallel',
        'pipeline',
        'hierarchical',
        'race',
        'vote',
        'debate',
        'route',
        'map-reduce',
      ]).annotate({
        description: 'How the agents work together. Default: sequential.',
      }),
    ),
    run_id: Schema.optionalKey(
      textTo(
        64,
        'An id of your own for the run. Running again with the same id continues it, and repeats nothing.',
      ),
    ),
    detach: DETACH,
  },
  async run({ input, run_id: id, detach, ...source }, call) {
    const reference = await referenceOf(source, call.team.configFile)
    return call.team.work(({ orchestrator }) => {
      const options = defined({ id, signal: detach ? undefined : call.signal })
      return follow(orchestrator.run(reference, { prompt: input }, options), detach, call)
    })
  },
})

interface Source {
  readonly workflow?: string
  readonly template?: string
  readonly agents?: readonly string[]
  readonly pattern?: string
}

/** Throws InvalidInputError unless it names one workflow. */
function referenceOf(
  { workflow, template, agents = [], pattern }: Source,
  configFile: string | undefined,
): Promise<WorkflowReference> {
  const given = Object.keys(defined({ workflow, template, agents: agents[0] }))
  if (given.length !== 1 || (pattern !== undefined && agents.length === 0)) {
    const problem =
      given.length === 1 ? 'a pattern needs agents' : `${given.join(' and ') || 'none'} was given`
    const hint = 'Give exactly one of workflow, template and agents; list_workflows has the names.'
    throw new InvalidInputError({ what: 'The workflow', problem, hint })
  }
  if (template === undefined) return givenReference(agents, defined({ workflow, pattern }), configFile)
  templateNamed(template)
  return Promise.resolve({ kind: 'template', name: template })
}

export const resumeRunTool = tool({
  name: 'resume_run',
  title: 'Resume a run',
  description:
    'Resumes a run that was paused, failed or was left behind, and waits for its result. Recorded answers are not asked again. Cancelling this call pauses it again.',
  effect: 'adds',
  fields: { run_id: runId, detach: DETACH },
  run({ run_id: id, detach }, call) {
    return call.team.work(({ orchestrator }) => {
      const options = defined({ signal: detach ? undefined : call.signal })
      return follow(orchestrator.runs.resume(id, undefined, options), detach, call)
    })
  },
})

/** Waits for a run, unless it is left to its owner, or can only wait for a person. */
async function follow(run: Run, detach = false, { progress }: ToolCall<ToolTeam>): Promise<ToolResult> {
  run.catch(() => {})
  const steps = run.subscribe(({ agent, state }) => progress(`${agent}: ${state}`))
  const problems: string[] = []
  const waiting = whenHeld(run, (problem) => problems.push(problem), systemClock)
  try {
    await run.begun
    if (detach) return begun(`Run ${run.id} has begun.`, { runId: run.id })
    const held = waiting.held.catch(() => waits({ runId: run.id }, shortened(problems.join(' '), 2000)))
    return await Promise.race([run.then((result) => endedRun(result)), held])
  } finally {
    waiting.stop()
    steps.unsubscribe()
  }
}

export const listRunsTool = tool({
  name: 'list_runs',
  title: 'List runs',
  description: 'Lists runs of workflows, the newest first: status, topic, steps done, cost.',
  effect: 'reads',
  fields: {
    open: Schema.optionalKey(
      Schema.Boolean.annotate({ description: 'Only those that run, wait or are held. Default: false.' }),
    ),
    ...PAGE_FIELDS,
  },
  async run({ open = false, ...page }, { team }) {
    const all = (await team.read(({ orchestrator }) => orchestrator.runs.list({ open }))) ?? []
    const { entries, ...rest } = pageOf(all, page)
    const runs = entries.map(({ runId, name, status, reason, topic, startedAt, steps, done, costUsd }) => ({
      ...{ runId, name: shortened(name, 100), status, reason, topic, startedAt, steps, done, costUsd },
    }))
    const lines = runs.map(
      ({ runId, status, topic, steps, done, costUsd }) =>
        `${runId}: ${status}, ${done} of ${steps} steps, ${dollars(costUsd)}, ${topic}`,
    )
    const text = rest.total === 0 ? 'There are no such runs. run_workflow starts one.' : lines.join('\n')
    return { text: text + morePages(rest), data: { runs, ...rest } }
  },
})

export const showRunTool = tool({
  name: 'show_run',
  title: 'Show a run',
  description:
    'Shows a run: its status, its steps with the agent of each, and its output as far as there is one.',
  effect: 'reads',
  fields: {
    run_id: runId,
    ...PAGE_FIELDS,
    output_offset: Schema.optionalKey(wholeTo(100_000_000, 'Where in a long output to begin.')),
  },
  async run({ run_id: id, output_offset: from, ...page }, { team }) {
    const run = await team.read(({ orchestrator }) => orchestrator.runs.show(id))
    if (run === null) throw new RunNotFoundError({ runId: id })
    const { name, status, reason, topic, startedAt, endedAt, costUsd, taken, finalOutput } = run
    const { entries, ...rest } = pageOf(taken, page)
    const steps = entries.map(({ worker, state, costUsd, problem, taskId }) => ({
      ...{ agent: worker, state, taskId, costUsd, problem: problem && shortened(problem, 500) },
    }))
    const output = finalOutput === null ? null : excerpt(finalOutput, from)
    const lines = [
      `Run ${id} (${shortened(name, 100)}): ${status}${reason === null ? '' : `, ${reason}`}, ${stepsInWords(taken)}, ${dollars(costUsd)}`,
      ...steps.map(({ agent, state, problem }) => `${agent}: ${state}${problem ? `, ${problem}` : ''}`),
      morePages(rest).trim(),
      ...(output === null ? [] : ['Output:', output.text]),
      output?.nextOffset ? `The next piece of the output has offset ${output.nextOffset}.` : '',
    ]
    return {
      text: lines.filter((line) => line !== '').join('\n'),
      data: { runId: id, name, status, reason, topic, startedAt, endedAt, costUsd, steps, ...rest, output },
    }
  },
})
