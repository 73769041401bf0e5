/** Versions of the `claude` command: parsing, the supported minimum, and which features depend on them. */

export type Version = readonly [major: number, minor: number, patch: number]

/** The oldest version whose behaviour was measured. */
export const MINIMUM_VERSION: Version = [2, 1, 197]

/** From this version on, the CLI records the system prompt with the session, and has the flag to turn that off. */
const SYSTEM_PROMPT_SNAPSHOTS: Version = [2, 1, 257]

/** The oldest version known to have a switch for file mentions alone. */
const FILE_MENTIONS_CAN_BE_OFF: Version = [2, 1, 330]

/** Parses the output of `claude --version`; null if it is not Claude Code's. */
export function parseVersion(output: string): Version | null {
  const match = /^(\d+)\.(\d+)\.(\d+) \(Claude Code\)/.exec(output)
  return match ? [Number(match[1]), Number(match[2]), Number(match[3])] : null
}

export const formatVersion = (version: Version): string => version.join('.')

export function isAtLeast(version: Version, minimum: Version): boolean {
  for (const [index, part] of version.entries()) {
    const least = minimum[index] ?? 0
    if (part !== least) return part > least
  }
  return true
}

export const recordsSystemPrompts = (version: Version): boolean => isAtLeast(version, SYSTEM_PROMPT_SNAPSHOTS)

export const knowsFileMentions = (version: Version): boolean => isAtLeast(version, FILE_MENTIONS_CAN_BE_OFF)
