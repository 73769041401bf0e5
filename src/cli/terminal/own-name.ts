/** Hints as they stand on a command line: there to be copied, so they begin with `npx` and carry `--simulate` where the command did. */

/** npx tells the program that it starts, and so every program started from there. */
const isStartedByNpx = ({ npm_lifecycle_event, npm_lifecycle_script }: NodeJS.ProcessEnv) =>
  npm_lifecycle_event === 'npx' && /^["']?claude-agents\b/.test(npm_lifecycle_script ?? '')

// Not in a path or a file name.
const OWN_NAME = /(?<![\w./-])(npx )?claude-agents(?= [a-z-])(?! --simulate)/g

/** What only a program can do: an aside of hints that programs show as well. */
const IN_CODE = / \(in code: (?:[^()]|\([^()]*\))*\)/g

/** Whether these words of a command line ask for the simulated model. */
const isSimulated = (words: readonly string[]) =>
  words.includes('--simulate') && !words.slice(0, words.indexOf('--simulate')).includes('--')

/**
 * A text of ours for the command line: with its commands as the user types them, simulated where this one is, and nothing
 * that only code can do.
 */
export function asTyped(
  text: string,
  environment: NodeJS.ProcessEnv = process.env,
  words: readonly string[] = process.argv.slice(2),
): string {
  const npx = isStartedByNpx(environment) ? 'npx ' : ''
  const simulate = isSimulated(words) ? ' --simulate' : ''
  return text
    .replace(IN_CODE, '')
    .replace(OWN_NAME, (_, before: string = npx) => `${before}claude-agents${simulate}`)
}
