/** Makes what a call says safe to record, wherever it comes from: `claude`, a transcript, a custom runner. */
import { LAST_INSTANT } from '../clock.ts'
import { InvalidResultError } from '../events/errors/call.ts'
import type { CallSetup } from '../events/options/servers.ts'
import type { AccountWindow, CallResult, CallSpending, Usage } from './runner.ts'
import { MOST_WINDOWS } from './stream/account-limit.ts'
import { serversIn } from './stream/parser.ts'
import {
  asRecord,
  label,
  labelAt,
  listAt,
  numberAt,
  recordsIn,
  stringAt,
  type UntrustedRecord,
} from './stream/untrusted-json.ts'

/** No call uses more tokens, turns or milliseconds, and sums of such counts stay exact. */
const LARGEST_COUNT = 1e12
const LARGEST_COST_USD = 1e9
/** How many denied tool uses a fact records, and how much of each. */
export const MOST_DENIALS = 100
const LONGEST_INPUT = 1000
/** How many tools and servers a fact records. */
const MOST_SET_UP = 200

/**
 * The result with safe and bounded values. An answer is never lost because of a number: counts become whole and not
 * negative, and anything but a number counts as 0. Throws {@link InvalidResultError} if it has no text.
 */
export function recordable(result: CallResult): CallResult {
  const given = asRecord(result)
  if (given === null) throw new InvalidResultError({ said: 'the result is not an object' })
  const { text } = given
  if (typeof text !== 'string')
    throw new InvalidResultError({ said: `result.text is ${kindOf(text)}, not a string` })
  return {
    text,
    ...(recordableSpending(given) ?? { costUsd: 0, usage: usageIn(null) }),
    durationMs: amount(given.durationMs, LARGEST_COUNT),
    turns: typeof given.turns === 'number' ? count(given.turns) : null,
    model: typeof given.model === 'string' ? label(given.model) : null,
    ...(typeof given.stopReason === 'string' ? { stopReason: label(given.stopReason) } : {}),
    permissionDenials: listAt(given, 'permissionDenials')
      .slice(0, MOST_DENIALS)
      .map(asRecord)
      .map((denial) => ({
        tool: label(stringAt(denial, 'tool') ?? ''),
        input: (stringAt(denial, 'input') ?? '').slice(0, LONGEST_INPUT),
      })),
  }
}

/** The same for what a call has cost, whatever else is said of it; undefined if nothing is said of the cost. */
export function recordableSpending(spent: unknown): CallSpending | undefined {
  const given = asRecord(spent)
  if (typeof given?.costUsd !== 'number' && asRecord(given?.usage) === null) return undefined
  return {
    costUsd: amount(given?.costUsd, LARGEST_COST_USD),
    usage: usageIn(asRecord(given?.usage)),
    ...(given?.estimated === true ? { estimated: true } : {}),
  }
}

/** The same for what came up when a call began. */
export function recordableSetup(given: unknown): CallSetup {
  const init = asRecord(given)
  return {
    version: labelAt(init, 'version'),
    model: labelAt(init, 'model'),
    tools: listAt(init, 'tools')
      .slice(0, MOST_SET_UP)
      .map((tool) => label(String(tool))),
    servers: serversIn(init, 'servers').slice(0, MOST_SET_UP),
  }
}

/** The same for what is said of an account's windows, each once. A window without a name is left out. */
export function recordableWindows(given: unknown): readonly AccountWindow[] {
  const windows = new Map<string, AccountWindow>()
  for (const record of recordsIn(Array.isArray(given) ? given.slice(0, MOST_WINDOWS) : [])) {
    const name = labelAt(record, 'name')
    if (name === null || windows.has(name)) continue
    const utilization = numberAt(record, 'utilization')
    const resetsAt = numberAt(record, 'resetsAt')
    windows.set(name, {
      name,
      status: labelAt(record, 'status') ?? 'unknown',
      utilization: utilization === null ? null : Math.max(0, utilization),
      resetsAt: resetsAt !== null && resetsAt > 0 && resetsAt <= LAST_INSTANT ? resetsAt : null,
    })
  }
  return [...windows.values()]
}

const usageIn = (usage: UntrustedRecord | null): Usage => ({
  inputTokens: count(usage?.inputTokens),
  outputTokens: count(usage?.outputTokens),
  cacheReadTokens: count(usage?.cacheReadTokens),
  cacheCreationTokens: count(usage?.cacheCreationTokens),
})

const count = (value: unknown): number => Math.ceil(amount(value, LARGEST_COUNT))

/** A number from 0 to the largest. An infinite amount is the largest one: it must not look free. */
function amount(value: unknown, largest: number): number {
  if (typeof value !== 'number' || Number.isNaN(value)) return 0
  return Math.min(Math.max(0, value), largest)
}

const kindOf = (value: unknown) => (value === null ? 'null' : typeof value)
