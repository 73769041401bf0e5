/** Where the CLI keeps the transcripts of an agent's sessions, and how they are read. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { configDirectory } from './environment.ts'

/**
 * The transcript of a session; null when there is none. It lies at projects/<the cwd, mangled>/<session id>.jsonl: as
 * each agent has its own directory, looking for the id is surer than doing the CLI's mangling again.
 */
export async function findTranscript(home: string, sessionId: string): Promise<string | null> {
  const projects = join(configDirectory(home), 'projects')
  for (const project of await namesIn(projects)) {
    const names = await namesIn(join(projects, project))
    if (names.includes(`${sessionId}.jsonl`)) return join(projects, project, `${sessionId}.jsonl`)
  }
  return null
}

/** The text of a session's transcript; null when there is none. */
export async function readTranscript(home: string, sessionId: string): Promise<string | null> {
  const path = await findTranscript(home, sessionId)
  return path === null ? null : readFile(path, 'utf8')
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory)
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return []
    throw error
  }
}
