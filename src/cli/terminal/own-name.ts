/** What to type to start this command: hints are there to be copied, and `npx` is part of them for whoever uses it. */

/** npx names what it starts in the environment of that, and so of what is started from there. */
const isStartedByNpx = ({ npm_lifecycle_event, npm_lifecycle_script }: NodeJS.ProcessEnv) =>
  npm_lifecycle_event === 'npx' && /^["']?claude-agents\b/.test(npm_lifecycle_script ?? '')

// Not in a path, in the name of a file, or where npx is said already.
const OWN_NAME = /(?<![\w./-]|npx )claude-agents(?= [a-z-])/g

/** A text of our own with the commands in it as the user types them. */
export const asTyped = (text: string, environment: NodeJS.ProcessEnv = process.env): string =>
  isStartedByNpx(environment) ? text.replace(OWN_NAME, 'npx claude-agents') : text
