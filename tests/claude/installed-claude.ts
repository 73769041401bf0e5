/** The real claude, as npm installs it for this machine. */
import { join } from 'node:path'

export const INSTALLED_CLAUDE = join(
  import.meta.dirname,
  `../../node_modules/@anthropic-ai/claude-code-${process.platform}-${process.arch}/claude`,
)
