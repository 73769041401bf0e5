/** The words of `log backup | restore | export | import | hash | compact`; what they do is loaded when it is needed. */
import type { Command } from 'commander'
import { date, wholeNumber } from '../arguments.ts'
import type { Act, GlobalOptions } from '../global-options.ts'
import type { ExportCommandOptions } from './archive.ts'

type ArchiveCommands = typeof import('./archive.ts')

export function addArchiveCommands(log: Command, act: Act): void {
  const run = (command: (commands: ArchiveCommands, globals: GlobalOptions) => Promise<void>) =>
    act(async (globals) => command(await import('./archive.ts'), globals))
  log
    .command('backup <file>')
    .description(
      'write the whole log with its bodies into one file, also while another process goes on with it',
    )
    .action((file: string) => run((commands, globals) => commands.backup(globals, file)))
  log
    .command('restore <file>')
    .description('make the store of a backup again')
    .requiredOption('--to <dir>', 'where to make it: a directory that is empty or does not exist')
    .action((file: string, { to }: { to: string }) =>
      run((commands, globals) => commands.restore(globals, file, to)),
    )
  log
    .command('export [file]')
    .description('write the log as lines of JSON, to stdout unless told')
    .option('--stream <name>', 'only this stream, as in agent/researcher')
    .option('--after <n>', 'only what came after this position (with --stream: version)', wholeNumber)
    .option('--redact', 'put lengths in the place of prompts, answers and all other texts')
    .action((file: string | undefined, _, command: Command) =>
      // `log` has some of the options as well, and takes them wherever they stand.
      run((commands, globals) =>
        commands.exportLog(globals, file ?? '-', command.optsWithGlobals<ExportCommandOptions>()),
      ),
    )
  log
    .command('import <file>')
    .description('make a store of an export; with - as the file, it is read from stdin')
    .option(
      '--to <dir>',
      'where to make it: a directory that is empty or does not exist (--base-dir unless told)',
    )
    .action((file: string, { to }: { to?: string }) =>
      run((commands, globals) => commands.importLog(globals, file, to)),
    )
  log
    .command('hash')
    .description('print a hash of the state of every stream, and of the whole: equal logs have equal ones')
    .action(() => run((commands, globals) => commands.hash(globals)))
  log
    .command('compact')
    .description('drop prompts and answers of tasks that have ended; every state stays as it is')
    .option('--before <date>', 'of tasks that ended before this date', date)
    .option('--keep <n>', 'of all but so many tasks of each agent that ended last', wholeNumber)
    .option('--dry-run', 'only say what would be dropped, and what is gained')
    .action((options: { before?: Date; keep?: number; dryRun?: boolean }) =>
      run((commands, globals) => commands.compact(globals, options)),
    )
}
