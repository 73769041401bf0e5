#!/usr/bin/env node
/** The command `claude-agents`. */
import { reportFailure } from './failure.ts'
import { commandProgram } from './program.ts'

// Whoever reads may have seen enough (`| head`): that is an end like any other.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') void reportFailure(error, process.argv.includes('--json'))
})

try {
  await commandProgram().parseAsync()
} catch (error) {
  await reportFailure(error, process.argv.includes('--json'))
}
