/**
 * The program that the CLI asks before a tool call: `hook PLAN HASH`, with the call as JSON on stdin. It says nothing of a call
 * that needs no decision, so that the usual permissions hold; it defers one that does, and says of the one that was decided
 * what was decided.
 *
 * A hook's `allow` lifts all limits, that to the workspace as well. So it says that of exactly the call that was approved.
 */
import { createHash } from 'node:crypto'
import { constants, fstatSync, lstatSync, openSync, readFileSync, realpathSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { canonicalJson, type JsonObject } from '../../events/json.ts'
import type { ResumedTurn } from '../runner.ts'
import type { AskingPlan } from './plan.ts'
import { needsDecision } from './rules.ts'

/** What the CLI tells of a call. */
interface HookInput {
  readonly tool_name: string
  readonly tool_input: JsonObject
  readonly tool_use_id: string
  readonly cwd: string
  /** Of a subagent. */
  readonly agent_id?: string
}

type Answer =
  | { readonly permissionDecision: 'defer' }
  | { readonly permissionDecision: 'allow'; readonly updatedInput?: JsonObject }
  | { readonly permissionDecision: 'deny'; readonly permissionDecisionReason: string }

const deny = (permissionDecisionReason: string): Answer => ({
  permissionDecision: 'deny',
  permissionDecisionReason,
})

/** In bytes. In the last megabyte of a session, the CLI finds the call that it continues from; not before. */
const LARGEST_INPUT = 512 * 1024

/** null: the usual permissions decide. */
function answerTo(input: HookInput, plan: AskingPlan): Answer | null {
  const { rules, resumes, waiting } = plan
  if (resumes?.toolUseId === input.tool_use_id) return decided(input, resumes, plan)
  const paths = pathsOf(input, plan).flatMap(({ written, real }) => [written, real])
  if (!needsDecision({ tool: input.tool_name, input: input.tool_input, paths }, rules)) return null
  if (input.agent_id !== undefined)
    return deny('A person has to decide this call, and no subagent can wait for that. Make it yourself.')
  if (Buffer.byteLength(JSON.stringify(input.tool_input)) > LARGEST_INPUT)
    return deny('A person has to decide this call, and it is too long for that. Make it in several parts.')
  return isFirst(waiting)
    ? { permissionDecision: 'defer' }
    : deny('Another tool call of this message waits for a person. One at a time: ask again.')
}

function decided(input: HookInput, resumes: ResumedTurn, plan: AskingPlan): Answer {
  const { verdict, updatedInput, reason } = resumes
  if (verdict === 'deny')
    return deny(reason ? `A person has denied this: ${reason}` : 'A person has denied this.')
  const isSame =
    input.tool_name === resumes.tool && canonicalJson(input.tool_input) === canonicalJson(resumes.input)
  if (!isSame) return deny('This is not what was approved.')
  const called = { ...input, tool_input: updatedInput ?? input.tool_input }
  // A path that leads out was seen by the person who approved it, unless a link leads it there.
  const isTrap = pathsOf(called, plan).some(({ written, real }) => !isOut(written) && isOut(real))
  if (isTrap) return deny('The path leads out of the workspace through a link.')
  return { permissionDecision: 'allow', ...(updatedInput && { updatedInput }) }
}

/** The CLI defers one call of a message: of two, it would lose the first. */
function isFirst(waiting: string): boolean {
  try {
    writeFileSync(waiting, '', { flag: 'wx', mode: 0o600 })
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

const isOut = (path: string) => path === '..' || path.startsWith('../')

/** Where the call's paths lead to, relative to the workspace: as they are written, and through all links. */
function pathsOf({ tool_input, cwd }: Pick<HookInput, 'tool_input' | 'cwd'>, { workspace }: AskingPlan) {
  const root = realpathSync(workspace)
  const { file_path, notebook_path, path } = tool_input
  return [file_path, notebook_path, path].flatMap((given) => {
    if (typeof given !== 'string') return []
    const whole = resolve(cwd, given)
    // A workspace may be named through a link itself.
    const written = isOut(relative(workspace, whole)) ? relative(root, whole) : relative(workspace, whole)
    return [{ written, real: relative(root, realOf(whole)) }]
  })
}

/** What is missing of it would be made where the rest of it is. */
function realOf(path: string): string {
  try {
    return realpathSync(path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    // A link that leads to nothing yet: what is written there is made where it leads to.
    const isLink = lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ?? false
    if (code !== 'ENOENT' || isLink || dirname(path) === path) throw error
    return join(realOf(dirname(path)), basename(path))
  }
}

/** In bytes. */
const LARGEST_PLAN = 256 * 1024 * 1024

/** Throws unless it is the file that was written for this call. */
function readPlan(path: string, hash: string): AskingPlan {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants
  const file = openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
  const stats = fstatSync(file)
  if (!stats.isFile() || stats.size > LARGEST_PLAN) throw new Error(`${path} is not the plan of this call`)
  const text = readFileSync(file, 'utf8')
  if (createHash('sha256').update(text).digest('hex') !== hash)
    throw new Error(`${path} is not the plan of this call`)
  return JSON.parse(text) as AskingPlan
}

const [path = '', hash = ''] = process.argv.slice(2)
try {
  const answer = answerTo(JSON.parse(readFileSync(0, 'utf8')) as HookInput, readPlan(path, hash))
  const said = { hookSpecificOutput: { hookEventName: 'PreToolUse', ...answer } }
  if (answer !== null) process.stdout.write(`${JSON.stringify(said)}\n`)
} catch (error) {
  // Blocks the call: the model is told.
  process.stderr.write(`This call cannot be checked: ${error}\n`)
  process.exitCode = 2
}
