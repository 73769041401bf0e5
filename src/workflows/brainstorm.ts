/** The brainstorming workflow: several agents have ideas side by side, a critic criticizes them, and they are ranked. */
import { concatMap } from 'rxjs'
import { joinAnswers } from '../patterns/answers.ts'
import { parallel } from '../patterns/parallel.ts'
import { type Pattern, patternOf, runStep } from '../patterns/pattern.ts'
import { AgentFactory } from './agent-factory.ts'
import { type TemplateOptions, type WorkflowHost, WorkflowTemplate, whenAllAnswered } from './template.ts'

const minds = [AgentFactory.createVisionary(), AgentFactory.createPragmatist(), AgentFactory.createOutsider()]
const critic = AgentFactory.createCritic()
const ranker = AgentFactory.createRanker()
const thinking = parallel(minds.map(({ id }) => id))

/**
 * Brainstorming: `visionary`, `pragmatist` and `outsider` at once, then `critic`, then `ranker`. The answer is the ranking.
 *
 * @example
 * const workflow = new BrainstormWorkflow(orchestrator)
 * await workflow.setup()
 * const { metadata } = await workflow.execute('New features for a task list')
 */
export class BrainstormWorkflow extends WorkflowTemplate {
  static readonly template = 'brainstorm'
  static readonly roles = [...minds, critic, ranker]
  static readonly pattern: Pattern = patternOf([thinking, critic.id, ranker.id], (ask, task) =>
    runStep(ask, thinking, { ...task, prompt: inventing(task.prompt) }).pipe(
      whenAllAnswered((answers) => {
        const ideas = joinAnswers(answers)
        return ask(critic.id, { prompt: criticizing(task.prompt, ideas) }, { from: answers }).pipe(
          concatMap((criticism) =>
            ask(
              ranker.id,
              { prompt: ranking(task.prompt, ideas, criticism.text) },
              { from: [...answers, criticism] },
            ),
          ),
        )
      }),
    ),
  )

  constructor(orchestrator: WorkflowHost, options?: TemplateOptions) {
    super(orchestrator, BrainstormWorkflow, options)
  }
}

const inventing = (subject: string) => `Give five to seven ideas on the subject: ${subject}`

const criticizing = (
  subject: string,
  ideas: string,
) => `Criticize these ideas, each by its name, on the subject: ${subject}

${ideas}`

const ranking = (
  subject: string,
  ideas: string,
  criticism: string,
) => `Rank these ideas, best first, on the subject: ${subject}

# Ideas

${ideas}

# Criticism

${criticism}`
