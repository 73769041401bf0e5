/** What tests of a program, a pattern or a store need: `claude-multi-agent/testing`. */

export {
  crashSweep,
  type PatternSweep,
  type ScenarioSweep,
  type SweepOptions,
  type SweepReport,
} from '../testing/crash-sweep.ts'
export { type ContractCase, eventStoreContract } from '../testing/event-store-contract.ts'
export type { ModelRequest } from '../testing/messages-api.ts'
export { answer, type ModelAnswer } from '../testing/model-answer.ts'
export {
  type ScriptedAnswer,
  type ScriptedRunner,
  type ScriptedRunnerOptions,
  scriptedRunner,
} from '../testing/scripted-runner.ts'
export {
  type ModelScript,
  type SimulatedModel,
  type SimulatedModelOptions,
  simulatedModel,
} from '../testing/simulated-model.ts'
export { type VirtualClock, virtualClock } from '../testing/virtual-clock.ts'
