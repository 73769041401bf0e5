/** The words of `config show | validate | path`; what they do is loaded when it is needed. */
import type { Command } from 'commander'
import type { Act, GivenOptions } from '../global-options.ts'

export function addConfigCommands(program: Command, act: Act): void {
  const load = () => import('./commands.ts')
  const config = program.command('config').description('look at the configuration')
  config
    .command('show')
    .description('show each setting, and who said it')
    .action(() => act(async (globals) => (await load()).show(globals)))
  config
    .command('validate [file]')
    .description('check a configuration file; exit code 1 when anything is wrong with it')
    .action(async (file: string | undefined) =>
      (await load()).validate(file ?? program.opts<GivenOptions>().config, program.opts<GivenOptions>()),
    )
  config
    .command('path')
    .description('print which file counts here')
    .action(async () => (await load()).path(program.opts<GivenOptions>()))
}
