/** Builds a workflow from a reference to it: loads the file that has it, and hashes what it is made of. */
import { createHash } from 'node:crypto'
import { resolve } from 'node:path'
import { lastValueFrom, of } from 'rxjs'
import type { NamedWorkflow } from '../config/workflow-definition.ts'
import { partsOf } from '../config/workflows.ts'
import { canonicalJson, defined, type JsonObject } from '../events/json.ts'
import { type Ask, type Pattern, stepName } from '../patterns/pattern.ts'
import type { BuiltWorkflow } from '../patterns/runs/options.ts'
import { namedWorkflow } from './defined-pattern.ts'
import { hashOfModule, loadModule } from './exported-pattern.ts'
import { templateNamed, type WorkflowReference, type WorkflowSources, workflowPattern } from './pattern.ts'

/**
 * The workflow that a reference refers to. Relative paths are those of the working directory, and a configuration file
 * that is not named is looked for there. Throws InvalidInputError, ConfigError.
 */
export async function buildWorkflow(workflow: WorkflowReference | JsonObject): Promise<BuiltWorkflow> {
  // Whatever else it may be, is refused where the pattern is built.
  const reference = workflow as WorkflowReference
  const built = (
    name: string,
    made: WorkflowReference,
    hash: string | null,
    sources: WorkflowSources = {},
  ): BuiltWorkflow => ({ pattern: workflowPattern(made, sources), name, workflow: { ...made }, hash })
  switch (reference.kind) {
    case 'agents': {
      const { pattern, agents, options } = reference
      return built(pattern, reference, digest([pattern, agents, options]))
    }
    case 'config': {
      const { name } = reference
      const { file, workflows = [] } = await workflowsOf(reference.file)
      const found = namedWorkflow(name, workflows)
      return built(
        name,
        { kind: 'config', name, ...(file === null ? {} : { file }) },
        digest(used(found, workflows)),
        { workflows },
      )
    }
    case 'module': {
      const { export: name } = reference
      const file = resolve(String(reference.file))
      const { exports, sha256 } = await loadModule(file)
      return built(name, { ...reference, file }, sha256, { module: exports })
    }
    case 'template': {
      const { template, pattern } = templateNamed(reference.name)
      return built(template, reference, digest(await asksOf(pattern)))
    }
    case 'fleet': {
      const { repo } = reference
      const made = { ...reference, ...(typeof repo === 'string' && { repo: resolve(repo) }) }
      return built('fleet', made, digest(made))
    }
    default:
      return built('workflow', reference, null)
  }
}

/**
 * A reference as any process finds it, with the hash of what it refers to, without running any code. Throws as
 * {@link buildWorkflow} does.
 */
export async function sealWorkflow(
  reference: WorkflowReference,
): Promise<Pick<BuiltWorkflow, 'workflow' | 'hash'>> {
  // What a program offers is known to that program alone.
  if (reference.kind === 'program') return { workflow: { ...reference }, hash: null }
  if (reference.kind !== 'module') return buildWorkflow(reference)
  const file = resolve(String(reference.file))
  return { workflow: { ...reference, file }, hash: await hashOfModule(file) }
}

const digest = (content: unknown) => createHash('sha256').update(canonicalJson(content)).digest('hex')

/** Of the file only its workflows are used, which every file may have. */
async function workflowsOf(file: string | undefined) {
  // It takes long to load, and most workflows need none.
  const { loadConfig } = await import('../config/configuration.ts')
  return loadConfig(defined({ file, untrusted: 'load' as const }))
}

/** A workflow with all that it contains. */
function used(workflow: NamedWorkflow, workflows: readonly NamedWorkflow[]): readonly NamedWorkflow[] {
  return [workflow, ...partsOf(workflow).flatMap((name) => used(namedWorkflow(name, workflows), workflows))]
}

/** What a pattern asks if all agents answer with their names: it changes when the pattern does. */
async function asksOf(pattern: Pattern): Promise<unknown> {
  const asked: unknown[] = []
  const ask: Ask = (worker, task, { from: _, ...options } = {}) => {
    asked.push([worker, task, options])
    return of({ agent: stepName(worker), text: stepName(worker) })
  }
  await lastValueFrom(of({ prompt: 'input' }).pipe(pattern(ask)))
  return asked
}
