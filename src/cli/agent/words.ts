/** The words of `agent create | list | show | ...`; what they do is loaded when it is needed. */
import type { Command } from 'commander'
import { list, mappings, repos, wholeNumber } from '../arguments.ts'
import type { Act, GlobalOptions } from '../global-options.ts'
import { addHeldCommands } from '../held/words.ts'

type AgentCommands = typeof import('./commands.ts')

export function addAgentCommands(program: Command, act: Act): void {
  const agents = (run: (commands: AgentCommands, globals: GlobalOptions) => Promise<void>) =>
    act(async (globals) => run(await import('./commands.ts'), globals))

  const agent = program.command('agent').description('create agents and work with them')
  agent
    .command('create <id> <system-prompt>')
    .description('create an agent')
    .option('--tools <names>', 'tools that need no permission, with commas between them', list)
    .option('--max-turns <n>', 'the most turns of the model in one call', wholeNumber)
    .option('--model <name>', 'the model to use')
    .option('--timeout <seconds>', 'how long a task may take, retries included', wholeNumber)
    .option('--retries <n>', 'how often to try again after a failure that can pass', wholeNumber)
    .option(
      '--load-project-settings',
      'let settings, hooks and servers in its workspace count: they run commands',
    )
    .option('--dangerously-skip-permissions', 'let it do everything without asking: only in a container')
    .action((id, prompt, options) =>
      agents((commands, globals) => commands.create(globals, id, prompt, options)),
    )
  agent
    .command('list')
    .description('list the agents')
    .action(() => agents((commands, globals) => commands.list(globals)))
  agent
    .command('show <id>')
    .description('show the state of an agent')
    .action((id) => agents((commands, globals) => commands.show(globals, id)))
  agent
    .command('sessions <id>')
    .description('show the session chain of an agent')
    .action((id) => agents((commands, globals) => commands.sessions(globals, id)))
  agent
    .command('ask <id> <prompt>')
    .description('ask an agent; with - as the prompt, it is read from stdin')
    .option('--text <file>', 'add the text of a file to the prompt')
    .option('--file <src[:target]>', 'copy a file into the workspace first; may be repeated', mappings)
    .option('--folder <src[:target]>', 'copy a folder into the workspace first; may be repeated', mappings)
    .option('--repo <url[#ref]>', 'clone a repository into the workspace first; may be repeated', repos)
    .option(
      '--task-id <id>',
      'a name for the task: asked again under the same one, it answers without a new call',
    )
    .option('--approval [why]', 'hold the task until somebody approves it: agent approve TASK')
    .action((id, prompt, options) =>
      act(async (globals) => (await import('./ask.ts')).ask(globals, id, prompt, options)),
    )
  agent
    .command('cancel <id> [task]')
    .description('call off a task, whether it waits or runs; without one, all that the agent has to do')
    .option('--reason <text>', 'why, for the log', 'asked to')
    .action((id, task, options) => agents((commands, globals) => commands.cancel(globals, id, task, options)))
  addHeldCommands(agent, act)
  agent
    .command('reset <id>')
    .description('begin a new session chain; the old one stays in the log')
    .action((id) => agents((commands, globals) => commands.reset(globals, id)))
  agent
    .command('remove <id>')
    .description('remove an agent and its directories; its history stays in the log')
    .action((id) => agents((commands, globals) => commands.remove(globals, id)))
}
