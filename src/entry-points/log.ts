/** Maintains logs and reads their past without an orchestrator: `claude-multi-agent/log`. */

// Verify and repair

export type {
  DamagedStream,
  LossReport,
  LostBlob,
  LostFacts,
} from '../store/care/repair/loss-report.ts'
export { repairStore } from '../store/care/repair.ts'
export { type VerifyOptions, verifyStore } from '../store/care/verification.ts'
export type { Finding, FindingKind, VerifyReport } from '../store/care/verify/finding.ts'

// Copy, move and shrink

export type { RetentionRule } from '../actors/agent/retention.ts'
export { compactLog, exportLog, exportText, importLog, openExport, restore } from '../history/log-archive.ts'
export type { ArchiveSource } from '../store/care/archive/source.ts'
export type { ArchiveSummary, ExportOptions } from '../store/care/archive/writer.ts'
export { backup, backupDirectory } from '../store/care/backup.ts'
export type { CompactionReport } from '../store/care/compaction.ts'
export type { RestoredStore } from '../store/care/restore.ts'

// Replay and compare

export type { StateAt, When } from '../actors/engine/fold-at.ts'
export type { AnyReplayStep, ReplayStep } from '../actors/engine/history.ts'
export { stateHash } from '../history/log-archive.ts'
export { type ReplayOptions, replayStream } from '../history/replay-stream.ts'
export { stateAt } from '../history/state-at.ts'
export { type StateChange, stateChanges } from '../history/state-changes.ts'
export type { StateHash, StreamHash } from '../history/state-hash.ts'
export {
  type ChangedMachine,
  type Divergence,
  type ReplayReport,
  type VerifyReplayOptions,
  verifyReplay,
} from '../history/verify-replay.ts'

// Explain and count

export { type CauseLine, causesOf, effectsOf } from '../history/causes.ts'
export { type Grouping, type Statistics, statistics } from '../history/statistics.ts'
