/** Checks that the snapshots of files that facts name exist, and that all they consist of is intact. */
import { GitNotInstalled } from '../../../events/errors/workspace.ts'
import { snapshotsPath } from '../../../workspaces/directories.ts'
import { snapshotProblems } from '../../../workspaces/files/snapshots.ts'
import type { Findings } from './finding.ts'
import type { RecordCheck } from './record-check.ts'

export async function checkSnapshots(
  baseDir: string,
  named: RecordCheck['snapshots'],
  findings: Findings,
): Promise<void> {
  if (named.size === 0) return
  const file = snapshotsPath(baseDir)
  try {
    const { missing, others } = await snapshotProblems(baseDir, [...named.keys()])
    for (const commit of missing)
      findings.add('files', file, `the snapshot ${commit} is missing`, named.get(commit))
    for (const problem of others) findings.add('files', file, problem)
  } catch (error) {
    if (!(error instanceof GitNotInstalled)) throw error
    findings.notes.push(`${file} was not checked: git is not installed.`)
  }
}
