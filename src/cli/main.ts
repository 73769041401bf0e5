#!/usr/bin/env node
/** The command `claude-agents`. */
import { reportFailure } from './failure.ts'
import { commandProgram, helpHint, takesText } from './program.ts'

const words = process.argv.slice(2)
const meant = { help: () => helpHint(words), takesText: () => takesText(words) }
const fail = (error: unknown) => reportFailure(error, words.includes('--json'), meant)

// A reader that has seen enough (`| head`) closes the pipe, which is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') void fail(error)
})

// A closed stderr must not end work.
process.stderr.on('error', () => {})

try {
  await commandProgram().parseAsync()
} catch (error) {
  await fail(error)
}
