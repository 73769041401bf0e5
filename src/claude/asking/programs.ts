/** Where the programs are that the CLI starts to ask a person, or the team. */
import { fileURLToPath } from 'node:url'

/** Node cannot run this TypeScript, so from the sources the built program is started. */
export const askingProgram = (name: 'hook' | 'person' | 'team') =>
  fileURLToPath(
    new URL(
      import.meta.url.endsWith('.ts') ? `../../../dist/claude/asking/${name}.js` : `./${name}.js`,
      import.meta.url,
    ),
  )
