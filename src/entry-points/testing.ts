/** Tools for testing programs, patterns, stores and runners: `claude-multi-agent/testing`. */

export { type ContractCase, eventStoreContract } from '../testing/contract/event-store-contract.ts'
export {
  crashSweep,
  type PatternSweep,
  type ScenarioSweep,
  type SweepOptions,
  type SweepReport,
} from '../testing/crash-sweep.ts'
export { answer, type ModelAnswer } from '../testing/model/answer.ts'
export type { ModelRequest } from '../testing/model/messages-api.ts'
export {
  type ModelScript,
  type SimulatedModel,
  type SimulatedModelOptions,
  simulatedModel,
} from '../testing/model/simulated-model.ts'
export { type CrashPoint, MortalStore, type MortalStoreOptions } from '../testing/mortal-store.ts'
export { CallMemory, rememberingRunner } from '../testing/remembering-runner.ts'
export {
  type ScriptedAnswer,
  type ScriptedRunner,
  type ScriptedRunnerOptions,
  scriptedRunner,
} from '../testing/scripted-runner.ts'
export type { FaultName, Script } from '../testing/simulation/script.ts'
export {
  replayScript,
  SimulationFailure,
  type SimulationOptions,
  type SimulationReport,
  simulate,
} from '../testing/simulation/simulate.ts'
export type { SimulatedActor } from '../testing/simulation/world.ts'
export { type VirtualClock, type VirtualClockOptions, virtualClock } from '../testing/virtual-clock.ts'
