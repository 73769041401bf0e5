/** Which workflow is meant: by the words of the command line, or by what a run says of itself. */
import { resolve } from 'node:path'
import type { Config } from '../config/configuration.ts'
import type { StepDefinition } from '../config/workflow-definition.ts'
import type { Pattern } from '../patterns/pattern.ts'
import type { WorkflowReference } from '../workflows/pattern.ts'

export interface SourceOptions {
  readonly pattern?: string
  readonly workflow?: string
  readonly module?: string
  readonly export?: string
  readonly concurrency?: number
  readonly onError?: 'collect' | 'fail'
  readonly rounds?: number
  readonly votes?: number
  readonly judge?: string
  readonly fallback?: string
  readonly split?: 'paragraphs' | 'lines'
}

/** A workflow, with how it can be found again. */
export interface Source {
  readonly reference: WorkflowReference
  readonly pattern: Pattern
  readonly name: string
}

/** Of `workflow run`: agents and a pattern, or a name in the configuration file, or an export of a module. */
export async function givenSource(
  agents: readonly string[],
  given: SourceOptions,
  configFile: string | undefined,
): Promise<Source> {
  const { pattern = 'sequential', workflow, module, export: name = 'default', ...options } = given
  if (workflow === undefined && module === undefined) {
    if (agents.length === 0) {
      const { InvalidInputError } = await import('../events/errors/usage.ts')
      const problem = 'none is named, as the last word is the task'
      const hint = 'As in: claude-agents workflow run researcher writer "the task", or --workflow NAME'
      throw new InvalidInputError({ what: 'The agents', problem, hint })
    }
    const reference = { kind: 'agents', pattern, agents: agents.map(stepOf), options } as const
    return { reference, pattern: await patternFrom(reference), name: pattern }
  }
  if (agents.length > 0) {
    const { InvalidInputError } = await import('../events/errors/usage.ts')
    const problem = `${agents.length + 1} were given`
    const hint = `The agents are those of the workflow. A task of several words goes in quotes.`
    throw new InvalidInputError({ what: 'One task is expected', problem, hint })
  }
  const reference = await namedReference(given, configFile)
  return { reference, pattern: await patternFrom(reference, configFile), name: workflow ?? name }
}

/** The reference that `--workflow` or `--module` make; undefined without them. */
export async function namedReference(
  { workflow, module, export: name = 'default' }: SourceOptions,
  configFile: string | undefined,
): Promise<WorkflowReference> {
  if (module !== undefined) return { kind: 'module', file: resolve(module), export: name }
  const { file } = await configuration(configFile)
  return { kind: 'config', name: workflow ?? '', ...(file === null ? {} : { file }) }
}

/** @param configFile Where to look for the name of a workflow, if not in the file that had it. */
export async function patternFrom(reference: WorkflowReference, configFile?: string): Promise<Pattern> {
  const { loadModule } = await import('../workflows/exported-pattern.ts')
  const { workflowPattern } = await import('../workflows/pattern.ts')
  if (reference.kind === 'module')
    return workflowPattern(reference, { module: await loadModule(reference.file) })
  if (reference.kind !== 'config') return workflowPattern(reference)
  return workflowPattern(reference, await configuration(configFile ?? reference.file))
}

async function configuration(file: string | undefined): Promise<Config> {
  const { loadConfig } = await import('../config/configuration.ts')
  return loadConfig(file === undefined ? {} : { file })
}

/** `worker`, or `worker:4` for a pool of four copies. */
function stepOf(word: string): StepDefinition {
  const [, pool, size] = /^(.+):(\d+)$/.exec(word) ?? []
  return pool === undefined ? word : { pool, size: Number(size) }
}
