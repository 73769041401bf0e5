/** Which tools the turn of a session used, and what these said, as far as a transcript still tells. */
import { parseRecord, recordAt, recordsAt, stringAt, type UntrustedRecord } from '../stream/untrusted-json.ts'
import { Sessions } from './sessions.ts'
import { containsLine, eachLine, isPrompt } from './transcripts.ts'

export interface ToolUse {
  readonly tool: string
  /** The beginning of its input, as JSON. */
  readonly input: string
  /** The beginning of what it said; null if it did not answer. */
  readonly result: string | null
  readonly isError: boolean
}

const MOST_USES = 200
const LONGEST_PART = 4000

/** null if no transcript has the session. An agent can write its transcripts: they are bounded, and nothing follows from them. */
export async function toolUsesOf(home: string, sessionId: string): Promise<readonly ToolUse[] | null> {
  const origin = await new Sessions(home).origin({ sessionId: '', parentSessionId: sessionId })
  if (origin === null) return null
  let uses = new Map<string, ToolUse>()
  let isOver = false
  const wasRead = await eachLine(origin.path, (text) => {
    const line = isOver ? null : parseRecord(text)
    if (line === null) return
    if (isPrompt(line)) uses = new Map()
    else if (line.isSidechain !== true) addUses(uses, line)
    isOver = origin.at !== null && containsLine(text, origin.at)
  })
  return wasRead ? [...uses.values()] : null
}

function addUses(uses: Map<string, ToolUse>, line: UntrustedRecord): void {
  for (const block of recordsAt(recordAt(line, 'message'), 'content')) {
    const type = stringAt(block, 'type')
    const id = stringAt(block, type === 'tool_use' ? 'id' : 'tool_use_id') ?? ''
    if (type === 'tool_use' && uses.size < MOST_USES)
      uses.set(id, {
        tool: (stringAt(block, 'name') ?? '').slice(0, 100),
        input: beginning(block.input),
        result: null,
        isError: false,
      })
    const used = type === 'tool_result' ? uses.get(id) : undefined
    if (used) uses.set(id, { ...used, result: beginning(block.content), isError: block.is_error === true })
  }
}

/** A text as it is, blocks of text joined, and anything else as JSON. */
function beginning(value: unknown): string {
  const texts = Array.isArray(value) ? value.map((block) => stringAt(block as UntrustedRecord, 'text')) : []
  const text =
    typeof value === 'string'
      ? value
      : texts.length > 0 && !texts.includes(null)
        ? texts.join('\n')
        : (JSON.stringify(value, null, 2) ?? '')
  return text.slice(0, LONGEST_PART)
}
