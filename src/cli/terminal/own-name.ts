/** How the user starts this command: hints are there to be copied, and for users of `npx` they begin with it. */

/** npx tells the program that it starts, and so every program started from there. */
const isStartedByNpx = ({ npm_lifecycle_event, npm_lifecycle_script }: NodeJS.ProcessEnv) =>
  npm_lifecycle_event === 'npx' && /^["']?claude-agents\b/.test(npm_lifecycle_script ?? '')

// Not in a path or a file name, nor after npx.
const OWN_NAME = /(?<![\w./-]|npx )claude-agents(?= [a-z-])/g

/** A text of ours with its commands as the user types them. */
export const asTyped = (text: string, environment: NodeJS.ProcessEnv = process.env): string =>
  isStartedByNpx(environment) ? text.replace(OWN_NAME, 'npx claude-agents') : text
