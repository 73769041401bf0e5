/** Reading an archive: what it is, and then its content, checked line by line before anybody builds on it. */

import { InvalidArchive } from '../../../events/errors/archive.ts'
import { WRITTEN_BY_NEWER } from '../../../events/errors/phrases.ts'
import { ArchiveCheck, type ArchiveContent, type CheckFact, parsedLine } from './check.ts'
import { ARCHIVE_VERSION, type ArchiveHeader, archiveVersion } from './lines.ts'
import { type ArchiveSource, archiveLines } from './source.ts'

/** An archive that has been opened: its header is read, its content is checked as it comes. */
export interface OpenArchive {
  readonly header: ArchiveHeader
  /** To be read once, and to its end: only then is it known that nothing is missing. Throws {@link InvalidArchive}. */
  readonly content: AsyncIterable<ArchiveContent>
}

/** @param check Refuses a fact by throwing why. */
export async function readArchive(source: ArchiveSource, check: CheckFact = () => {}): Promise<OpenArchive> {
  const lines = archiveLines(source)
  const first = await lines.next()
  const { name } = source
  if (first.done) throw new InvalidArchive({ file: name, line: null, position: null, problem: 'it is empty' })
  const header = readHeader(name, first.value)
  return { header, content: new ArchiveCheck(name, header, first.value, check).content(lines) }
}

function readHeader(file: string, text: string): ArchiveHeader {
  const place = { file, line: 1, position: null }
  const version = archiveVersion(text)
  if (version !== null && version > ARCHIVE_VERSION) {
    const problem = `it is an archive of version ${version}, but this program knows only version ${ARCHIVE_VERSION}`
    throw new InvalidArchive({ ...place, problem, hint: WRITTEN_BY_NEWER })
  }
  const line = version === null ? null : parsedLine(file, 1, text)
  if (line?.kind === 'header') return line.header
  throw new InvalidArchive({ ...place, problem: 'it is neither a backup nor an export of a log' })
}
