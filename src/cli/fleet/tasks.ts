/** The tasks of a fleet as they are given: words of the command line, lines of a text, or a list in YAML or JSON. */
import { systemProblem } from '../../events/errors/phrases.ts'
import { NotAFileError } from '../../events/errors/store.ts'
import { InvalidInputError } from '../../events/errors/usage.ts'
import type { FleetTask } from '../../patterns/fleet.ts'
import { openPlainFile } from '../../store/directory.ts'
import { pipedText, readAll, standardInput } from '../standard-input.ts'

export interface GivenTasks {
  readonly tasks: readonly (string | FleetTask)[]
  /** What was piped in beside them: a part of every task. */
  readonly textInput: string | undefined
}

/**
 * `from` is a file, or `-` for stdin, as it is for the only word. Without words and file, the tasks are what is piped in.
 *
 * @throws InvalidInputError, ConfigError
 */
export async function givenTasks(
  words: readonly string[],
  from: string | undefined,
  note: (text: string) => void,
): Promise<GivenTasks> {
  const [only] = words
  if (from === '-' || (only === '-' && words.length === 1 && from === undefined)) {
    const others = from === '-' ? words : []
    return { tasks: [...others, ...(await tasksIn(await standardInput(), 'stdin'))], textInput: undefined }
  }
  const read = from === undefined ? [] : await tasksIn(await textOf(from), from)
  const piped = await pipedText(note)
  if (words.length + read.length > 0) return { tasks: [...words, ...read], textInput: piped }
  return { tasks: piped === undefined ? [] : await tasksIn(piped, 'stdin'), textInput: undefined }
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: a text has none of them
const NO_TEXT = /[\u0000-\u0008\u000e-\u001a\u001c-\u001f\ufffd]/

/** A list in YAML or JSON, or a task a line; a line that begins with `#` is none. */
async function tasksIn(text: string, source: string): Promise<readonly (string | FleetTask)[]> {
  if (NO_TEXT.test(text)) throw new InvalidInputError({ what: source, problem: 'it is not a text in UTF-8' })
  const isList = /\.(ya?ml|json)$/i.test(source) || /^\s*(\[|-\s)/.test(text)
  if (!isList)
    return text
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '' && !line.startsWith('#'))
  const { ConfigDocument } = await import('../../config/document.ts')
  const { value = [] } = new ConfigDocument(source, text)
  if (Array.isArray(value)) return value
  const hint = 'As in: [{ task: "Test the checkout", id: "tests" }, "Describe the checkout"]'
  throw new InvalidInputError({ what: source, problem: 'it is not a list of tasks', hint })
}

/** A whole file, read no further than a prompt may be. A pipe in its place would be waited for. */
async function textOf(file: string): Promise<string> {
  const what = `--from ${file}`
  try {
    const handle = await openPlainFile(file)
    return await readAll(handle.createReadStream(), what)
  } catch (cause) {
    if (cause instanceof InvalidInputError) throw cause
    const problem =
      cause instanceof NotAFileError
        ? `it is ${cause.details.kind}, not a file`
        : `it cannot be read: ${systemProblem(cause)}`
    throw new InvalidInputError({ what, problem }, { cause })
  }
}
