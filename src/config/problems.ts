/** Describes mistakes in a configuration: where, what, and what to write instead. */
import { nameHint } from '../events/nearest-name.ts'
import { type Mistake, named, pathName, type ValuePath } from '../events/options/decoding.ts'
import { SETTINGS } from './schema.ts'

export interface DescribedMistake {
  readonly path: ValuePath
  readonly problem: string
  readonly hint: string
  /** Whether the key is wrong rather than its value. */
  readonly isKey: boolean
}

export function describeMistake(mistake: Mistake): DescribedMistake {
  const { path, kind, known, annotations } = mistake
  const key = String(path.at(-1))
  const parent = nameOf(path.slice(0, -1))
  if (kind === 'unknown') {
    const problem =
      path.length === 1 ? `there is no section "${key}"` : `there is no key "${key}" in ${parent}`
    return { path, isKey: true, problem, hint: nameHint(key, known) }
  }
  if (kind === 'missing')
    return { path, isKey: false, problem: `${parent} has no ${key}`, hint: `Add ${key}: ...` }
  const { message } = annotations
  if (message !== undefined) return { path, isKey: false, problem: message, hint: '' }
  return { path, isKey: false, ...wrongValue(mistake) }
}

const WORDS: readonly (readonly [RegExp, string])[] = [
  [/^Expected object/, 'must be a mapping of keys to values'],
  [/^Expected array/, 'must be a list'],
  [/^Expected string/, 'must be a string'],
  [/^Expected (number|a finite number)/, 'must be a number'],
  [/^Expected an integer/, 'must be a whole number'],
  [/^Expected boolean/, 'must be true or false'],
  [/^Expected a value with a length of at least 1/, 'must not be empty'],
  [/^Expected a value (greater|less) than or equal to (.*)/, 'must be $1 than or equal to $2'],
  [/^Expected (".*")/, 'must be $1'],
]

const AS_LIST = 'Begin each of its entries with "- ".'

/** Prefers the words of files; falls back to those of code. */
function wrongValue({
  path,
  given,
  expected,
  annotations,
}: Mistake): Pick<DescribedMistake, 'problem' | 'hint'> {
  const [line = ''] = expected.split('\n')
  const known = WORDS.find(([pattern]) => pattern.test(line))
  const isMapping = typeof given === 'object' && given !== null && !Array.isArray(given)
  const hint = meaning(path) || (isMapping && line.startsWith('Expected array') ? AS_LIST : '')
  if (!known && annotations.problem !== undefined)
    return {
      problem: `${nameOf(path)}: ${named(given)} ${annotations.problem}`,
      hint: annotations.hint ?? hint,
    }
  const [pattern, words] = known ?? [/^Expected (.*)/, 'must be $1']
  const text = line.replace(pattern, words).replace(/"/g, '').replaceAll(' | ', ' or ')
  const shown = named(given)
  return { problem: `${nameOf(path)}: ${shown === 'it' ? text : `${text}, not ${shown}`}`, hint }
}

/** What the setting means: the best advice on what to write. */
function meaning(path: ValuePath): string {
  const [section, key] = path
  const own = SETTINGS[String(section)]?.[String(key)]
  const setting = own ?? (section === 'agents' ? SETTINGS.agent_defaults?.[String(path[2])] : undefined)
  if (!setting) return ''
  const byDefault = own?.fallback === undefined ? '' : ` (default: ${String(own.fallback)})`
  return `Meaning: ${setting.means}${byDefault}.`
}

const nameOf = (path: ValuePath) => pathName(path) || 'the file'
