/** The research workflow: one agent collects findings, one interprets them, and one writes the report. */
import { concatMap } from 'rxjs'
import type { TaskInput } from '../events/task-input.ts'
import { type Pattern, patternOf } from '../patterns/pattern.ts'
import { AgentFactory } from './agent-factory.ts'
import { type TemplateOptions, type WorkflowHost, WorkflowTemplate } from './template.ts'

/**
 * Research: `researcher`, `analyst` and `writer`, one after another. The writer gets the findings and the analysis; the
 * answer is the report.
 *
 * @example
 * const workflow = new ResearchWorkflow(orchestrator)
 * await workflow.setup()
 * const { metadata } = await workflow.execute('Tidal energy')
 */
export class ResearchWorkflow extends WorkflowTemplate {
  static readonly template = 'research'
  static readonly roles = [
    AgentFactory.createResearcher(),
    AgentFactory.createAnalyst(),
    AgentFactory.createWriter(),
  ]
  static readonly pattern: Pattern = patternOf(['researcher', 'analyst', 'writer'], (ask, task) =>
    ask('researcher', { ...task, prompt: researching(task) }).pipe(
      concatMap((findings) =>
        ask('analyst', { prompt: analysing(task, findings.text) }, { from: [findings] }).pipe(
          concatMap((analysis) =>
            ask(
              'writer',
              { prompt: writing(task, findings.text, analysis.text) },
              { from: [findings, analysis] },
            ),
          ),
        ),
      ),
    ),
  )

  constructor(orchestrator: WorkflowHost, options?: TemplateOptions) {
    super(orchestrator, ResearchWorkflow, options)
  }
}

const researching = ({ prompt }: TaskInput) => `Research this topic: ${prompt}

Cover where it stands today, who and what matters in it, what has changed lately, where it is going, what is disputed,
and which sources you rely on.`

const analysing = ({ prompt }: TaskInput, findings: string) => `Analyse these findings on the topic: ${prompt}

Say which patterns there are, what follows from them and for whom, what is weak, and what needs a closer look.

# Findings

${findings}`

const writing = (
  { prompt }: TaskInput,
  findings: string,
  analysis: string,
) => `Write a report on the topic: ${prompt}

It has a summary, what was found, what it means, what to do, and the sources.

# Findings

${findings}

# Analysis

${analysis}`
