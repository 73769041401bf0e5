/** The part of the orchestrator that holds tasks and lets them go on: budgets, approvals, and answers that came too late. */

import type { BudgetInfo } from './actors/admission/budget-ledger.ts'
import { type BudgetScope, placeOf } from './actors/admission/budget-scope.ts'
import type { Rejection, Verdict } from './actors/agent/tasks/approvals.ts'
import type { DeadLetter } from './actors/agent/tasks/dead-letters.ts'
import type { HeldTask } from './actors/agent/tasks/held-task.ts'
import type { OfAgent } from './actors/agent/tasks/held-tasks.ts'
import type { Budget } from './events/options/budget.ts'
import { TimeTravel } from './time-travel.ts'

export abstract class TaskControl extends TimeTravel {
  /** Sets a budget: of everything, of an agent, or of a run. What is not named stays, null takes a limit away. */
  async setBudget(budget: Budget, scope: BudgetScope = {}): Promise<BudgetInfo> {
    await this.#check(scope)
    return this.parts.budgets.set(scope, budget)
  }

  /** What may be spent and what was spent: by all, by an agent, or by a run. */
  async budget(scope: BudgetScope = {}): Promise<BudgetInfo> {
    await this.#check(scope)
    return this.parts.budgets.show(scope)
  }

  /** The budgets that are set. */
  async budgets(): Promise<readonly BudgetInfo[]> {
    return this.parts.budgets.list()
  }

  /** The tasks that wait for a yes, or for room in a budget. */
  async held(of: OfAgent = {}): Promise<readonly HeldTask[]> {
    return this.parts.held.list(of)
  }

  /** Lets a task go on that waits for a yes. Throws TaskNotHeldError. */
  async approve(taskId: string, verdict: Verdict & OfAgent = {}): Promise<HeldTask> {
    return this.parts.held.approve(taskId, verdict)
  }

  /** Ends a task that waits for a yes: whoever asked gets a TaskRejectedError. Throws TaskNotHeldError. */
  async reject(taskId: string, rejection: Rejection & OfAgent = {}): Promise<HeldTask> {
    return this.parts.held.reject(taskId, rejection)
  }

  /** Answers that came when their task had ended already. They were paid for, and nobody was given them. */
  async deadLetters(of: OfAgent = {}): Promise<readonly DeadLetter[]> {
    return this.parts.held.deadLetters(of)
  }

  /** Throws AgentNotFoundError, RunNotFoundError, InvalidInputError: a budget is of something that there is. */
  async #check(scope: BudgetScope): Promise<void> {
    placeOf(scope)
    if (scope.agent !== undefined) await this.parts.agents.get(scope.agent)
    if (scope.run !== undefined) await this.parts.runs.assertKnown(scope.run)
  }
}
