/** Finds the workflow that the command line, or the record of a run, refers to. */

import { resolve } from 'node:path'
import { type Config, loadConfig } from '../../config/configuration.ts'
import type { StepDefinition } from '../../config/workflow-definition.ts'
import { InvalidInputError } from '../../events/errors/usage.ts'
import { defined } from '../../events/json.ts'
import type { Pattern } from '../../patterns/pattern.ts'
import { loadModule } from '../../workflows/exported-pattern.ts'
import { type WorkflowReference, workflowPattern } from '../../workflows/pattern.ts'

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

/** A workflow, with the reference that finds it again. */
interface Source {
  readonly reference: WorkflowReference
  readonly pattern: Pattern
  readonly name: string
}

/** For `workflow run`: agents and a pattern, a workflow of the configuration file, or an export of a module. */
export async function givenSource(
  agents: readonly string[],
  given: SourceOptions,
  configFile: string | undefined,
): Promise<Source> {
  const { pattern = 'sequential', workflow, module, export: name = 'default', ...options } = given
  if (workflow === undefined && module === undefined) {
    if (agents.length === 0) {
      const problem = 'none is given, as the last word is the task'
      const hint = 'As in: claude-agents workflow run researcher writer "the task", or --workflow NAME'
      throw new InvalidInputError({ what: 'The agents', problem, hint })
    }
    const reference = { kind: 'agents', pattern, agents: agents.map(stepOf), options } as const
    return { reference, pattern: await patternFrom(reference), name: pattern }
  }
  if (agents.length > 0) {
    const problem = `${agents.length + 1} were given`
    const hint = 'The workflow has its own agents. Put a task of several words in quotes.'
    throw new InvalidInputError({ what: 'One task is expected', problem, hint })
  }
  const reference = await namedReference(given, configFile)
  return { reference, pattern: await patternFrom(reference, configFile), name: workflow ?? name }
}

/** The reference that `--workflow` or `--module` makes. */
export async function namedReference(
  { workflow, module, export: name = 'default' }: SourceOptions,
  configFile: string | undefined,
): Promise<WorkflowReference> {
  if (module !== undefined) return { kind: 'module', file: resolve(module), export: name }
  const { file } = await configuration(configFile)
  return { kind: 'config', name: workflow ?? '', ...(file === null ? {} : { file }) }
}

/** @param configFile Where to look for the name of a workflow; by default in the file that had it. */
export async function patternFrom(reference: WorkflowReference, configFile?: string): Promise<Pattern> {
  if (reference.kind === 'module')
    return workflowPattern(reference, { module: await loadModule(reference.file) })
  if (reference.kind !== 'config') return workflowPattern(reference)
  return workflowPattern(reference, await configuration(configFile ?? reference.file))
}

/** Of the file only its workflows are used, which every file may have. */
const configuration = (file: string | undefined): Promise<Config> =>
  loadConfig(defined({ file, untrusted: 'load' as const }))

/** `worker`, or `worker:4` for a pool of four copies. */
function stepOf(word: string): StepDefinition {
  const [, pool, size] = /^(.+):(\d+)$/.exec(word) ?? []
  return pool === undefined ? word : { pool, size: Number(size) }
}
