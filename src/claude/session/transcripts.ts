/** Finds and reads the transcripts of an agent's sessions. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { configDirectory } from '../environment.ts'

export interface TranscriptFile {
  readonly sessionId: string
  readonly path: string
}

const EXTENSION = '.jsonl'

/**
 * All transcripts of an agent, at projects/<mangled working directory>/<session id>.jsonl. Each agent has its own
 * directory, so listing it is safer than reproducing the CLI's mangling.
 */
export async function listTranscripts(home: string): Promise<readonly TranscriptFile[]> {
  const projects = join(configDirectory(home), 'projects')
  const found: TranscriptFile[] = []
  for (const project of await namesIn(projects)) {
    for (const name of await namesIn(join(projects, project))) {
      if (!name.endsWith(EXTENSION)) continue
      found.push({ sessionId: name.slice(0, -EXTENSION.length), path: join(projects, project, name) })
    }
  }
  return found
}

/** The path of a session's transcript; null if there is none. */
export async function findTranscript(home: string, sessionId: string): Promise<string | null> {
  return (await listTranscripts(home)).find((file) => file.sessionId === sessionId)?.path ?? null
}

/** The text of a session's transcript; null if there is none. */
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
