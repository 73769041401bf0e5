/** The simulated model's default reply: short, readable Markdown derived from the request alone. */
import { answer, type ModelAnswer } from './answer.ts'
import type { ModelRequest } from './messages-api.ts'

type Craft = 'research' | 'analysis' | 'writing' | 'development' | 'review' | 'ideas' | 'ranking'

/** Recognized by words in the role of a system prompt ("You are a market analyst") or else in the task. */
const CRAFTS: readonly (readonly [RegExp, Craft])[] = [
  [/\bresearch|\binvestigat|\bfind out\b/i, 'research'],
  [/\banaly[sz]/i, 'analysis'],
  [/\bwriter|\bwrite\b|\beditor|\bauthor|\breport\b|\bdraft/i, 'writing'],
  [/\bdevelop|\bengineer|\bprogram|\bimplement/i, 'development'],
  [/\breview|\bcritic|\bassess/i, 'review'],
  [/\bvisionary|\bpragmatist|\boutsider|\bideas\b/i, 'ideas'],
  [/\branker|\brank\b|\bdecision\b/i, 'ranking'],
]

/**
 * The default reply, the same for the same request. The role comes from the system prompt, the subject from the user's
 * last message, and bold points in the text of an earlier agent are picked up.
 *
 * @example
 * simulatedReply(request) // "## Findings on tidal energy\n\nTidal energy has ..."
 */
export function simulatedReply(request: ModelRequest): string {
  const { prompt } = request
  const result = /^\[result (.*)\]$/s.exec(prompt)?.[1]
  if (result !== undefined) return `Done. The tool said: ${shortened(firstLine(result), 200) || 'nothing'}`
  const craft = craftOf(ownRole(request.system)) ?? craftOf(firstLine(prompt))
  if (!craft) return plainReply(request)
  const subject = subjectOf(prompt)
  return PAGES[craft]({ subject, points: pointsIn(prompt), pick: picker(prompt) })
}

/**
 * Writes the file that a line of the user's last message names, as `Write notes.md: Hello` does, if the model has the tool.
 * What follows is a reply to the result of that.
 */
export function simulatedFile({ prompt, tools }: ModelRequest): ModelAnswer | undefined {
  const [, path, line] = /^Write ([\w./-]+\.\w+): (.+)$/m.exec(prompt) ?? []
  if (line === undefined || !tools.includes('Write')) return undefined
  return answer.toolUse('Write', { file_path: path, content: `${line}\n` })
}

interface Page {
  readonly subject: string
  /** The bold points of earlier text. */
  readonly points: readonly string[]
  readonly pick: (...choices: readonly [string, ...string[]]) => string
}

const PAGES: Readonly<Record<Craft, (page: Page) => string>> = {
  research: ({ subject, pick }) => `## Findings on ${subject}

${capitalized(subject)} ${pick(
    'has moved from a specialist interest to a practical question within a few years',
    'is better understood than its reputation suggests, though the evidence is uneven',
    'looks simple from a distance and turns out to have several moving parts',
  )}. Three things stand out:

- **The current state.** ${pick('Early results are solid', 'Most sources agree on the basics')}, and the open questions have narrowed.
- **The driving forces.** Cost, skill and trust decide how fast it spreads, ${pick('in that order', 'more than the technology does')}.
- **The open risks.** Long-term effects are ${pick('rarely measured', 'still debated')}, so small and reversible steps are the safer ones.`,

  analysis: ({ subject, points, pick }) => {
    const [first, ...others] = points.length > 0 ? points : ['the evidence', 'the costs', 'the risks']
    return `## What this means for ${subject}

Read together, the findings ${pick('point in one direction', 'tell a consistent story')}: ${first} matters most, and the rest follows from it.

- **${capitalized(first ?? '')}** weighs most: it rests on ${pick('more than one source', 'observations that can be repeated')}.
${others.map((point) => `- **${capitalized(point)}** can only be judged once that is settled.`).join('\n')}

The recommendation: begin with one limited trial, measure it for a quarter, and decide then.`
  },

  writing: ({ subject, points, pick }) => `# ${capitalized(subject)}

${pick('Few subjects reward a second look as much as', 'There is a plain way to think about')} ${subject}. This report sums up what is known, what it means, and what to do next.

${
  points.length > 0
    ? `The work behind it turned on ${listed(points)}. None of these stands alone: each one limits the next.`
    : 'The essentials fit on a page: what is established, what is likely, and what nobody knows yet.'
} ${pick('The balance is encouraging', 'The picture is clear enough to act on')}, provided that the first steps stay small.

**Next step:** choose one place to try it, agree beforehand on how success will be measured, and review the result together.

_Simulated text: no real model was asked._`,

  development: ({ subject, pick }) => `The smallest change that gives ${subject}:

1. ${pick('Write a failing test that states the behaviour', 'Pin down the behaviour with one example')}.
2. Put the logic in one pure function and keep input and output at the edge.
3. Run the whole suite, then remove what is no longer needed.

${pick('No new dependency is needed.', 'The public interface stays as it is.')}`,

  review: ({ subject, points, pick }) => `## Review of ${subject}

- **Good.** ${pick('The structure is easy to follow', 'The purpose is clear from the first lines')}${points.length > 0 ? `, above all in ${points[0]}` : ''}.
- **To change.** One claim is made without support; add the reason or leave it out.
- **Verdict.** Acceptable once that is done.`,

  ideas: ({ subject, pick }) => `## Ideas: ${subject}

- **${pick('The smallest version', 'One thing less')}.** Leave out what nobody would miss, and see what is asked for.
- **${pick('Borrowed from games', 'Borrowed from kitchens')}.** Take a rule that works there and try it for a week.
- **${pick('The other way round', 'Two birds')}.** Let those who are served today do a part of it themselves.`,

  ranking: ({ subject, points, pick }) => `## Ranking: ${subject}

${(points.length > 0 ? points : ['the smallest version', 'what others do', 'the boldest one'])
  .map((point, index) => `${index + 1}. **${capitalized(point)}.** ${RANKS[index] ?? ''}`)
  .join('\n')}

${pick('Begin with the first', 'Try the first for a week')}; the others can wait for what it shows.`,
}

const RANKS = [
  'Most value for the least effort.',
  'Worth it as soon as the first has worked.',
  'Costs more than it can show.',
]

function plainReply({ prompt, conversation }: ModelRequest): string {
  const before = conversation.slice(0, -1).findLast(([role]) => role === 'user')?.[1]
  const memory = before === undefined ? '' : ` Before that, you said: “${shortened(firstLine(before), 80)}”.`
  return `You said: “${shortened(firstLine(prompt), 80)}”.${memory}\n\nThis is the simulated model: it answers in the same way every time and knows nothing of the world.`
}

/** The last "You are a ..." is the agent's own role; the CLI's comes first and names none. */
function ownRole(system: string): string {
  const last = [...system.matchAll(/\byou are (?:an?|the) [^.\n]*/gi)].at(-1)?.[0] ?? ''
  return /Claude agent|interactive agent|agent working with the user/.test(last) ? '' : last
}

/** The first craft that the text names. */
function craftOf(text: string): Craft | undefined {
  const found = CRAFTS.map(([words, craft]) => ({ craft, at: text.search(words) })).filter(
    ({ at }) => at >= 0,
  )
  return found.sort((a, b) => a.at - b.at)[0]?.craft
}

function subjectOf(prompt: string): string {
  const line = firstLine(prompt)
  const found =
    /["“«]([^"”»]{3,80})["”»]/.exec(line)?.[1] ??
    /\b(?:topic|subject)\s*:\s*(.+)/i.exec(prompt)?.[1] ??
    /\b(?:about|on|into)\s+(.+)/i.exec(line)?.[1] ??
    /^#+ .*?\b(?:about|on|for|of) (.+)$/m.exec(prompt)?.[1] ??
    line.replace(
      /^(?:please\s+)?(?:research|analy[sz]e|write|draft|implement|develop|review|investigate)\s+/i,
      '',
    )
  const cut = found.replace(/\s+(?:from|based on|using|in (?:one|two|three|\d+))\s.*|[.?!:;,(].*/is, '')
  return shortened(cut.trim(), 60) || 'the question'
}

function pointsIn(prompt: string): string[] {
  const bold = [...prompt.matchAll(/\*\*(.{3,60}?)[.:]?\*\*/g)].map(([, point]) =>
    (point ?? '').toLowerCase(),
  )
  return [...new Set(bold)].slice(0, 3)
}

/** A pseudo-random choice seeded with the text: the same question gets the same wording, another one a different wording. */
function picker(text: string): Page['pick'] {
  let state = 7
  for (let index = 0; index < text.length; index += 1) state = (state * 31 + text.charCodeAt(index)) >>> 0
  return (...choices) => {
    state = (state * 1_103_515_245 + 12_345) >>> 0
    return choices[(state >>> 16) % choices.length] ?? choices[0]
  }
}

const firstLine = (text: string) => text.trim().split('\n', 1)[0] ?? ''
const capitalized = (text: string) => text.charAt(0).toUpperCase() + text.slice(1)
const listed = (items: readonly string[]) => items.join(', ').replace(/, ([^,]*)$/, ' and $1')

function shortened(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length).replace(/\s+\S*$/, '')} …`
}
