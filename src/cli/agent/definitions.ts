/** `agent import | export`: agents from and to the files in which Claude Code defines them. */
import { readdir, realpath, stat } from 'node:fs/promises'
import { join, relative, resolve, sep } from 'node:path'
import type { Command } from 'commander'
import { describeError } from '../../events/errors/base.ts'
import { systemProblem } from '../../events/errors/phrases.ts'
import { ClosedError, InvalidInputError } from '../../events/errors/usage.ts'
import { writeWholeFile } from '../../store/directory.ts'
import { printFailure } from '../failure.ts'
import { type GlobalOptions, withGlobals } from '../global-options.ts'
import { checkFolder, type OverwriteOptions, refuseToOverwrite } from '../overwriting.ts'
import { type Session, withSession } from '../session.ts'
import { type Terminal, terminal } from '../terminal/output.ts'
import { inert } from '../terminal/text.ts'
import { readAgent } from './agents.ts'

export function definitionCommands(agent: Command): void {
  agent
    .command('import <path>')
    .description(
      'create agents from the files in which Claude Code defines them: a file, a directory, or a project; repeated, it updates them',
    )
    .option('--mcp-servers', 'also the MCP servers that the files configure: they run as you')
    .action(withGlobals(importAgents))
  agent
    .command('export <id> [file]')
    .description('write the file with which Claude Code defines such an agent (default: to stdout)')
    .option('--force', 'overwrite an existing file')
    .action(withGlobals(exportAgent))
}

/** They bring a parser of YAML, which no other command of an agent needs. */
const definitions = () => import('../../config/agent-definition.ts')

/** Deeper, and more, than any project has. */
const DEEPEST = 16
const MOST_FILES = 10_000

/** A file that may define an agent, or why it does not. */
type Candidate = { readonly file: string } | { readonly problem: InvalidInputError }

interface ImportOptions {
  readonly mcpServers?: true
}

async function importAgents(globals: GlobalOptions, path: string, options: ImportOptions): Promise<void> {
  // What is wrong with all of it is told before a store is made.
  const candidates = await candidatesIn(path)
  const screen = terminal(globals)
  const read: Awaited<ReturnType<typeof definitionIn>>[] = []
  for (const candidate of candidates) read.push(await definitionIn(candidate))
  const { NoDefinitionError } = await definitions()
  const isOther = (one: (typeof read)[number]) => 'problem' in one && one.problem instanceof NoDefinitionError
  // Where there are agents, a README among them is no mistake.
  const found = read.every(isOther) ? read : read.filter((one) => !isOther(one))
  for (const one of read)
    if ('problem' in one && !found.includes(one))
      screen.note(
        inert(`Skipped ${one.problem.details.what}, which defines no agent: it has no front matter.`),
      )
  if (found.every((one) => 'problem' in one)) {
    for (const one of found) if ('problem' in one) tellProblem(screen, one.problem)
    return
  }
  return withSession(globals, (session) => imported(session, found, options), 'change')
}

const definitionIn = async (candidate: Candidate) => {
  if ('problem' in candidate) return candidate
  const { file } = candidate
  try {
    return { file, definition: await (await definitions()).readAgentDefinition(file) }
  } catch (error) {
    if (!(error instanceof InvalidInputError)) throw error
    return { problem: error }
  }
}

async function imported(
  { orchestrator, terminal }: Session,
  read: readonly Awaited<ReturnType<typeof definitionIn>>[],
  { mcpServers: takesServers }: ImportOptions,
): Promise<void> {
  const { redefined } = await definitions()
  const sources = new Map<string, string>()
  for (const one of read) {
    if ('problem' in one) {
      tellProblem(terminal, one.problem)
      continue
    }
    const { file, definition } = one
    const { id } = definition.options
    const other = sources.get(id)
    if (other !== undefined) {
      const problem = `${other} defines the agent "${id}" already`
      tellProblem(
        terminal,
        new InvalidInputError({ what: file, problem, hint: 'Give one of them another name.' }),
      )
      continue
    }
    sources.set(id, file)
    try {
      const now = await orchestrator.agent(id).then(
        ({ snapshot }) => snapshot.context.config,
        () => null,
      )
      const { servers = {} } = definition
      const names = Object.keys(servers)
      await orchestrator.declareAgent({
        ...redefined(now ?? undefined, definition),
        ...(takesServers && names.length > 0 && { mcpServers: servers }),
      })
      const left = takesServers ? [] : names.map((name) => `mcpServers: ${name} (--mcp-servers)`)
      tellImport(terminal, { id, from: file, dropped: [...definition.dropped, ...left] })
    } catch (error) {
      if (error instanceof ClosedError) throw error
      const { message, hint } = describeError(error)
      tellProblem(terminal, new InvalidInputError({ what: file, problem: message.replace(/\.$/, ''), hint }))
    }
  }
}

interface ImportedAgent {
  readonly id: string
  readonly from: string
  readonly dropped: readonly string[]
}

function tellImport(screen: Terminal, { id, from, dropped }: ImportedAgent): void {
  const without = dropped.length === 0 ? '' : `, without ${dropped.join(', ')}`
  if (screen.json) screen.value({ id, from, dropped })
  else screen.line(inert(`Imported ${id} from ${from}${without}.`).replace(/(?<!\s)\s*\n\s*/g, ' '))
}

/** The others are imported all the same. */
function tellProblem(screen: Terminal, problem: InvalidInputError): void {
  process.exitCode ??= 1
  if (screen.json) printFailure(describeError(problem), true)
  else screen.note(screen.accent('red', inert(problem.message)))
}

/** The file itself, or all Markdown files of a directory; of a project, those of its `.claude/agents`. */
async function candidatesIn(path: string): Promise<readonly Candidate[]> {
  const found = await stat(path).catch((cause) => {
    throw new InvalidInputError(
      { what: path, problem: `it cannot be read: ${systemProblem(cause)}` },
      { cause },
    )
  })
  if (!found.isDirectory()) return [{ file: path }]
  const ofProject = join(path, '.claude', 'agents')
  const isProject = await stat(ofProject).then(
    (inside) => inside.isDirectory(),
    () => false,
  )
  const directory = isProject ? ofProject : path
  const candidates: Candidate[] = []
  await addFrom(directory, await realpath(directory), 0, candidates)
  if (candidates.length > 0) return candidates
  const hint = 'Claude Code keeps them in .claude/agents of a project, and in ~/.claude/agents.'
  throw new InvalidInputError({ what: directory, problem: 'it has no Markdown files', hint })
}

async function addFrom(folder: string, root: string, depth: number, candidates: Candidate[]): Promise<void> {
  const refuse = (what: string, problem: string) =>
    void candidates.push({ problem: new InvalidInputError({ what, problem }) })
  if (depth > DEEPEST) return refuse(folder, `it is nested more than ${DEEPEST} folders deep`)
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause) => {
    refuse(folder, `it cannot be read: ${systemProblem(cause)}`)
    return []
  })
  for (const entry of entries.sort((one, other) => (one.name < other.name ? -1 : 1))) {
    if (candidates.length >= MOST_FILES)
      throw new InvalidInputError({ what: root, problem: `it has more than ${MOST_FILES} Markdown files` })
    const file = join(folder, entry.name)
    if (entry.isDirectory()) await addFrom(file, root, depth + 1, candidates)
    else if (!/\.md$/i.test(entry.name)) continue
    else if (!entry.isSymbolicLink()) candidates.push({ file })
    else if (await leadsOut(file, root))
      refuse(file, 'it is a link that leads out of the directory, or nowhere')
    else candidates.push({ file })
  }
}

async function leadsOut(link: string, root: string): Promise<boolean> {
  const target = await realpath(link).catch(() => null)
  return target === null || relative(root, target).split(sep)[0] === '..' || resolve(root, target) === root
}

function exportAgent(
  globals: GlobalOptions,
  id: string,
  file: string | undefined,
  { force }: OverwriteOptions,
): Promise<void> {
  return readAgent(globals, id, async (agent, { terminal }) => {
    const { config } = agent.snapshot.context
    if (!config) return
    const { definitionOf } = await definitions()
    const { text, dropped } = definitionOf(id, config)
    if (file === undefined) {
      if (terminal.json) return terminal.value({ id, file: null, dropped, text })
      return terminal.line((terminal.interactive ? inert(text) : text).trimEnd())
    }
    const isFolder = await stat(file).then(
      (found) => found.isDirectory(),
      () => false,
    )
    const target = isFolder ? join(file, `${id}.md`) : file
    await checkFolder('The file', target)
    refuseToOverwrite(target, force)
    await writeWholeFile(resolve(target), text)
    if (terminal.json) return terminal.value({ id, file: target, dropped })
    terminal.line(inert(`Wrote ${target}, without ${dropped.join(', ')}.`))
  })
}
