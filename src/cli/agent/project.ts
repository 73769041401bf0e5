/** Says whether a project's own settings count for an agent, and asks about them on a terminal. */

import type { ProjectInfo } from '../../actors/agent/files.ts'
import type { AgentRef } from '../../actors/agent/ref.ts'
import { InvalidInputError } from '../../events/errors/usage.ts'
import { visibleName } from '../../events/hidden-characters.ts'
import { isConversation } from '../session.ts'
import type { Terminal } from '../terminal/output.ts'
import { inert } from '../terminal/text.ts'

/** How `agent show` and the notes of other commands say it. */
export function projectInWords({ files, trust, problem }: ProjectInfo): string {
  const names = files.map(visibleName).join(', ')
  if (problem !== undefined) return `${names}: not loaded (${inert(problem)})`
  return trust === 'none' ? 'none' : `${names}: ${WORDS[trust]}`
}

const WORDS: Readonly<Record<Exclude<ProjectInfo['trust'], 'none'>, string>> = {
  trusted: 'loaded',
  changed: 'not loaded (they have changed since you trusted them)',
  unknown: 'not loaded (you have not trusted them)',
  refused: 'not loaded (you said no)',
  never: 'not loaded (--no-project)',
}

/**
 * Says where an agent works on a repository, and whether the project's own settings count. If it is `asked` next, its call looks
 * at them and says why they do not: here, only what the command line says of them counts, or a user who can answer.
 */
export async function tellFiles(
  agent: AgentRef,
  terminal: Terminal,
  asked?: { readonly said: boolean | undefined },
): Promise<void> {
  const said = asked?.said
  if (!agent.snapshot.context.config?.workspace) {
    if (said === undefined) return
    const problem = `agent "${agent.id}" does not work on a repository`
    throw new InvalidInputError({ what: said ? '--project' : '--no-project', problem })
  }
  terminal.note(`It works in ${inert(agent.workspace)}`)
  if (asked && said === undefined && !canAnswer(terminal)) return
  const seen = await agent.files.project()
  if (seen.trust === 'none') return
  const isOpen = seen.trust === 'unknown' || seen.trust === 'changed'
  const counts =
    said ?? (isOpen && seen.problem === undefined ? await answer(seen, agent, terminal) : undefined)
  if (asked && counts === undefined) return
  const settled =
    counts === undefined || seen.trust === (counts ? 'trusted' : 'never')
      ? seen
      : await agent.files.trust({ hash: seen.hash, counts })
  terminal.note(`The project's own settings: ${projectInWords(settled)}`)
}

const canAnswer = (terminal: Terminal): boolean =>
  process.stdin.isTTY && terminal.interactive && !isConversation()

/** undefined if there is no terminal, or no answer. */
async function answer(
  { files, trust }: ProjectInfo,
  { workspace }: AgentRef,
  terminal: Terminal,
): Promise<boolean | undefined> {
  if (!canAnswer(terminal)) return undefined
  const { confirm, isCancel } = await import('@clack/prompts')
  const have = trust === 'changed' ? 'have changed' : 'could count for this agent'
  terminal.note(
    `Settings for Claude Code ${have}: ${files.map(visibleName).join(', ')}, in ${inert(workspace)}`,
  )
  const message = 'Load them? Their author can then run commands as you.'
  const given = await confirm({ message, initialValue: false })
  return isCancel(given) ? undefined : given
}
