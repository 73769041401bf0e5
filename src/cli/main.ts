#!/usr/bin/env node
/** The command `claude-agents`. */

const words = process.argv.slice(2)

async function fail(error: unknown): Promise<void> {
  // Commander ends help and version by an error too, and what reports errors takes longer to load than they do.
  if ((error as { readonly exitCode?: unknown }).exitCode === 0) return
  try {
    const [{ reportFailure }, { commandWith, helpHint, takesText, takesTheRest }] = await Promise.all([
      import('./failure.ts'),
      import('./program.ts'),
    ])
    const meant = {
      help: () => helpHint(words),
      takesText: () => takesText(words),
      takesTheRest: () => takesTheRest(words),
      commandWith: (word: string | null) => commandWith(word, words),
    }
    await reportFailure(error, words.includes('--json'), meant)
  } catch {
    failBare(error)
  }
}

/** Where not even our own files can be opened. */
function failBare(error: unknown): void {
  process.exitCode = 1
  const { code = 'UnexpectedError', message } = error as NodeJS.ErrnoException
  const isLack = code === 'EMFILE' || code === 'ENFILE'
  const said = isLack ? 'Too many open files.' : message
  const hint = isLack ? 'Close some files, or raise the limit (ulimit -n).' : ''
  const json = { error: { code: isLack ? 'SystemError' : code, message: said, hint } }
  process.stderr.write(words.includes('--json') ? `${JSON.stringify(json)}\n` : `error: ${said}\n  ${hint}\n`)
}

// A reader that has seen enough (`| head`) closes the pipe, which is no failure.
let unwritable: Error | undefined
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') return
  // Every other write fails as well.
  if (unwritable === undefined) void fail(error)
  unwritable ??= error
})

// A closed stderr must not end work.
process.stderr.on('error', () => {})

try {
  // Here, not at the top: a system without free descriptors is an error for people as well.
  const { commandProgram } = await import('./program.ts')
  await commandProgram().parseAsync()
} catch (error) {
  if (error !== unwritable) await fail(error)
}
