/** `mcp`: a server with which a person's own Claude works with the team. */
import type { Command } from 'commander'
import { withGlobals } from '../global-options.ts'
import type { McpOptions } from './serve.ts'

export const mcpCommand = (command: Command) =>
  void command
    .description(
      'serve the team to your own Claude, Desktop or Code, as an MCP server on stdin and stdout: claude mcp add agents -- claude-agents mcp',
    )
    .option('--allow-approve', 'let it decide what waits in your inbox')
    // The SDK is loaded by the server alone.
    .action(
      withGlobals(async (globals, options: McpOptions) =>
        (await import('./serve.ts')).serveMcp(globals, options),
      ),
    )
