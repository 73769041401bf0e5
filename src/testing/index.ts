/** What tests of and on this package need: published as `claude-multi-agent/testing`. */
export {
  crashSweep,
  type PatternSweep,
  type ScenarioSweep,
  type SweepOptions,
  type SweepReport,
} from './crash-sweep.ts'
export { type ContractCase, eventStoreContract } from './event-store-contract.ts'
export type { ModelRequest } from './messages-api.ts'
export { answer, type ModelAnswer } from './model-answer.ts'
export {
  type ScriptedAnswer,
  type ScriptedRunner,
  type ScriptedRunnerOptions,
  scriptedRunner,
} from './scripted-runner.ts'
export {
  type ModelScript,
  type SimulatedModel,
  type SimulatedModelOptions,
  simulatedModel,
} from './simulated-model.ts'
export { type VirtualClock, virtualClock } from './virtual-clock.ts'
