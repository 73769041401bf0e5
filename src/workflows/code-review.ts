/** The code review workflow: four reviewers side by side, each with one concern, then a lead who merges the reviews. */

import { joinAnswers } from '../patterns/answers.ts'
import { parallel } from '../patterns/parallel.ts'
import { type Pattern, patternOf, runStep } from '../patterns/pattern.ts'
import { AgentFactory } from './agent-factory.ts'
import { type TemplateOptions, type WorkflowHost, WorkflowTemplate, whenAllAnswered } from './template.ts'

const reviewers = [
  AgentFactory.createSecurityReviewer(),
  AgentFactory.createPerformanceReviewer(),
  AgentFactory.createQualityReviewer(),
  AgentFactory.createAccessibilityReviewer(),
]
const lead = AgentFactory.createLeadReviewer()
const reviews = parallel(reviewers.map(({ id }) => id))

/**
 * Code review: `security_reviewer`, `performance_reviewer`, `quality_reviewer` and `accessibility_reviewer` at once, then
 * `lead_reviewer`. If a review is missing, the run fails and keeps the other reviews.
 *
 * @example
 * const workflow = new CodeReviewWorkflow(orchestrator)
 * await workflow.setup()
 * const { results, metadata } = await workflow.execute(await readFile('login.ts', 'utf8'))
 */
export class CodeReviewWorkflow extends WorkflowTemplate {
  static readonly template = 'code-review'
  static readonly roles = [...reviewers, lead]
  static readonly pattern: Pattern = patternOf([reviews, lead.id], (ask, task) =>
    runStep(ask, reviews, { ...task, prompt: reviewing(task.prompt) }).pipe(
      whenAllAnswered((answers) =>
        ask(lead.id, { prompt: synthesizing(joinAnswers(answers)) }, { from: answers }),
      ),
    ),
  )

  constructor(orchestrator: WorkflowHost, options?: TemplateOptions) {
    super(orchestrator, CodeReviewWorkflow, options)
  }
}

const reviewing = (code: string) => `Review this code, each part of it, for what you are responsible for.
Be specific: name the line or the function, and say what to write instead.

${code}`

const synthesizing = (texts: string) => `Make one review of these, ordered by priority:

1. Critical: must be fixed before it is used.
2. Important: should be fixed soon.
3. Minor: would be nice.
4. What is good, and should stay as it is.

End with your judgement of the whole in one sentence.

${texts}`
