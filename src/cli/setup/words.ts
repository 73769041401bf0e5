/** The words of `init`, `doctor` and `completion`; what they do is loaded when it is needed. */
import { Argument, type Command } from 'commander'
import type { GivenOptions } from '../global-options.ts'
import type { InitOptions } from './init.ts'

export function addSetupCommands(program: Command): void {
  const given = () => program.opts<GivenOptions>()
  program
    .command('init')
    .description('write a configuration to begin with')
    .option('-y, --yes', 'ask nothing and take the defaults')
    .option('--force', 'write a new file in the place of the one that is there')
    .action(async (options: InitOptions) => (await import('./init.ts')).init(given(), options))
  program
    .command('doctor')
    .description('look whether everything is there that is needed, and say how to mend what is not')
    .option('--live', 'ask the model something as well: it costs a fraction of a cent')
    .action(async (options: { live?: boolean }) => (await import('./doctor.ts')).doctor(given(), options))
  program
    .command('completion')
    .addArgument(new Argument('<shell>').choices(['bash', 'zsh', 'fish']))
    .description('print what makes the shell complete commands, agents and runs')
    .addHelpText(
      'after',
      `
Put it into effect:
  bash  echo 'source <(claude-agents completion bash)' >> ~/.bashrc
  zsh   echo 'source <(claude-agents completion zsh)' >> ~/.zshrc
  fish  claude-agents completion fish > ~/.config/fish/completions/claude-agents.fish`,
    )
    .action(async (shell: string) => (await import('./completion.ts')).completion(shell))
  program
    .command('complete', { hidden: true })
    .argument('[words...]')
    .allowUnknownOption()
    .helpOption(false)
    .action(async (words: string[]) => (await import('./completion.ts')).complete(program, words))
}
