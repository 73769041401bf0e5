/** The layers of the configuration (command line, environment, file, defaults), and the origin of each value. */
import * as SchemaAST from 'effect/SchemaAST'
import type { ValuePath } from '../events/options/decoding.ts'
import { isDatabaseUrl, withoutPassword } from '../store/postgres/url.ts'
import { SETTINGS } from './schema.ts'

/** Where the value of a setting comes from. */
export type SettingOrigin = 'command line' | 'environment' | 'file' | 'default'

/** One value of the configuration and its origin. */
export interface ResolvedSetting {
  /** As in the file: `orchestrator.max_agents`. */
  readonly key: string
  readonly value: unknown
  readonly from: SettingOrigin
  /** The exact origin: `file:line:column`, the variable, or the option. */
  readonly place: string | null
  /** The variable that sets it. */
  readonly variable: string
  readonly means: string
}

type Raw = Record<string, unknown>

/** The values from outside the file, by key. */
export interface Layers {
  /** Values of options, by key (`orchestrator.max_agents`). */
  readonly options: Readonly<Record<string, string>>
  readonly environment: Readonly<Record<string, string | undefined>>
}

const settings = Object.entries(SETTINGS).flatMap(([section, fields]) =>
  Object.entries(fields).map(([key, setting]) => ({ section, key, setting })),
)

/** Every key that options and variables can set. */
export const SETTING_KEYS: readonly string[] = settings.map(({ section, key }) => `${section}.${key}`)

export const variableOf = (key: string): string | undefined => {
  const found = settings.find((one) => `${one.section}.${one.key}` === key)
  return found && `CLAUDE_AGENTS_${found.setting.variable}`
}

/** Merges all layers, stronger over weaker, and records the origin of each value that is not from the file. */
export function layered(
  file: unknown,
  { options, environment }: Layers,
): { raw: unknown; origins: Map<string, SettingOrigin> } {
  const origins = new Map<string, SettingOrigin>()
  if (file !== undefined && !isMapping(file)) return { raw: file, origins }
  // An empty section counts as absent.
  const raw: Raw = Object.fromEntries(Object.entries(file ?? {}).filter(([, value]) => value !== null))
  for (const { section, key, setting } of settings) {
    const name = `${section}.${key}`
    const option = options[name]
    const text = option ?? (environment[`CLAUDE_AGENTS_${setting.variable}`] || undefined)
    const before = raw[section] ?? {}
    if (text === undefined || !isMapping(before)) continue
    raw[section] = { ...before, [key]: read(text, setting.schema.ast) }
    origins.set(name, option === undefined ? 'environment' : 'command line')
  }
  return { raw: lowercaseLevel(raw), origins }
}

/** Every setting after merging all layers. */
export function resolvedSettings(
  values: object,
  origins: ReadonlyMap<string, SettingOrigin>,
  placeInFile: (path: ValuePath) => string,
): readonly ResolvedSetting[] {
  return settings.map(({ section, key, setting }) => {
    const name = `${section}.${key}`
    const given = (values as Record<string, Raw | undefined>)[section]?.[key]
    const from = given === undefined ? 'default' : (origins.get(name) ?? 'file')
    const variable = `CLAUDE_AGENTS_${setting.variable}`
    const place = from === 'file' ? placeInFile([section, key]) : from === 'environment' ? variable : null
    const value = given ?? setting.fallback ?? null
    return {
      key: name,
      // It may come from a variable.
      value: isDatabaseUrl(value) ? withoutPassword(value) : value,
      from,
      place,
      variable,
      means: setting.means,
    }
  })
}

/** Parses a text by its schema's type; a text that does not parse stays a text, for the schema to reject. */
function read(text: string, type: SchemaAST.AST): unknown {
  if (SchemaAST.isNumber(type) && text.trim() !== '' && Number.isFinite(Number(text))) return Number(text)
  if (SchemaAST.isBoolean(type) && /^(true|false)$/i.test(text)) return text.toLowerCase() === 'true'
  if (SchemaAST.isArrays(type))
    return text
      .split(',')
      .map((item) => item.trim())
      .filter(Boolean)
  return text
}

/** Log levels are often written in capitals. */
function lowercaseLevel(raw: Raw): Raw {
  const { logging } = raw
  if (!isMapping(logging) || typeof logging.level !== 'string') return raw
  return { ...raw, logging: { ...logging, level: logging.level.toLowerCase() } }
}

const isMapping = (value: unknown): value is Raw =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
