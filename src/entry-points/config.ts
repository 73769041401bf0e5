/** Loads the configuration file and the environment in a program: `claude-multi-agent/config`. */

export {
  type Config,
  type ConfigSources,
  type DeclaredAgent,
  type DeclaredChild,
  type DeclaredTree,
  findConfigFile,
  loadConfig,
  type ResolvedSetting,
  type SettingOrigin,
} from '../config/configuration.ts'
export { configJsonSchema } from '../config/schema.ts'
export type {
  DefinitionOptions,
  NamedWorkflow,
  StepDefinition,
  WorkflowDefinition,
} from '../config/workflow-definition.ts'
