#!/usr/bin/env node
/** The command `claude-agents`. */
import { reportFailure } from './failure.ts'
import { commandProgram, helpWords } from './program.ts'

const fail = (error: unknown) =>
  reportFailure(error, process.argv.includes('--json'), helpWords(process.argv.slice(2)))

// Whoever reads may have seen enough (`| head`): that is an end like any other.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') void fail(error)
})

try {
  await commandProgram().parseAsync()
} catch (error) {
  await fail(error)
}
