/** The command line with every command loaded, for scripts that import it from its source. */
import { completeProgram } from '../src/cli/program.ts'

export const program = await completeProgram()
