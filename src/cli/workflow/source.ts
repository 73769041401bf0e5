/** The reference to the workflow that the command line names. */

import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { loadConfig } from '../../config/configuration.ts'
import { checkDefinition, type StepDefinition } from '../../config/workflow-definition.ts'
import { InvalidInputError } from '../../events/errors/usage.ts'
import { LARGEST_POOL } from '../../events/ids.ts'
import { defined } from '../../events/json.ts'
import { namedWorkflow } from '../../workflows/defined-pattern.ts'
import { TEMPLATES, type WorkflowReference } from '../../workflows/pattern.ts'

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

/** For `workflow run`: agents and a pattern, a workflow of the configuration file, or an export of a module. */
export async function givenReference(
  agents: readonly string[],
  given: SourceOptions,
  configFile: string | undefined,
): Promise<WorkflowReference> {
  const { pattern = 'sequential', workflow, module, export: _, ...options } = given
  if (workflow === undefined && module === undefined) {
    if (agents.length === 0) {
      const problem = 'none is given, as the last word is the task'
      const hint = 'As in: claude-agents workflow run researcher writer "the task", or --workflow NAME'
      throw new InvalidInputError({ what: 'The agents', problem, hint })
    }
    const definition = { pattern, agents: agents.map(stepOf), options }
    checkDefinition(definition, (what, problem, hint) => {
      throw new InvalidInputError(defined({ what, problem, hint }))
    })
    return { kind: 'agents', ...definition }
  }
  if (agents.length > 0) {
    const problem = `${agents.length + 1} were given`
    const hint = 'The workflow has its own agents. Put a task of several words in quotes.'
    throw new InvalidInputError({ what: 'One task is expected', problem, hint })
  }
  return namedReference(given, configFile)
}

/** The reference that `--workflow` or `--module` makes. */
export async function namedReference(
  { workflow, module, export: name = 'default' }: SourceOptions,
  configFile: string | undefined,
): Promise<WorkflowReference> {
  if (module !== undefined) {
    const file = resolve(module)
    // Said before a store is made; what is wrong in it shows when it is loaded.
    if (!existsSync(file)) throw new InvalidInputError({ what: file, problem: 'there is no such module' })
    return { kind: 'module', file, export: name }
  }
  const { file, workflows = [] } = await loadConfig(defined({ file: configFile, untrusted: 'load' as const }))
  namedWorkflow(workflow ?? '', workflows, Object.keys(TEMPLATES))
  return { kind: 'config', name: workflow ?? '', ...(file === null ? {} : { file }) }
}

/** `worker`, or `worker:4` for a pool of four copies. */
function stepOf(word: string): StepDefinition {
  const [, pool, digits] = /^(.+):(\d+)$/.exec(word) ?? []
  if (pool === undefined) return word
  const size = Number(digits)
  if (size >= 1 && size <= LARGEST_POOL) return { pool, size }
  const problem = `it is no pool, which has from 1 to ${LARGEST_POOL} copies`
  throw new InvalidInputError({ what: word, problem, hint: `Name the number of copies: ${pool}:4` })
}
