/** Hints as they stand on a command line: there to be copied, so for users of `npx` they begin with it. */

/** npx tells the program that it starts, and so every program started from there. */
const isStartedByNpx = ({ npm_lifecycle_event, npm_lifecycle_script }: NodeJS.ProcessEnv) =>
  npm_lifecycle_event === 'npx' && /^["']?claude-agents\b/.test(npm_lifecycle_script ?? '')

// Not in a path or a file name, nor after npx.
const OWN_NAME = /(?<![\w./-]|npx )claude-agents(?= [a-z-])/g

/** What only a program can do: an aside of hints that programs show as well. */
const IN_CODE = / \(in code: (?:[^()]|\([^()]*\))*\)/g

/** A text of ours for the command line: with its commands as the user types them, and nothing that only code can do. */
export function asTyped(text: string, environment: NodeJS.ProcessEnv = process.env): string {
  const told = text.replace(IN_CODE, '')
  return isStartedByNpx(environment) ? told.replace(OWN_NAME, 'npx claude-agents') : told
}
