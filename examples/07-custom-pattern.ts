// A custom pattern is an RxJS operator. This one asks a cheap agent first, and an expert only if the first is unsure.
// It nests in any other pattern, and its runs are just as durable: an answer in the log is not asked for again.
import { Orchestrator, type Pattern, parallel } from 'claude-multi-agent'
import { concatMap, of } from 'rxjs'

const withExpert =
  (cheap: string, expert: string): Pattern =>
  (ask) =>
    concatMap((task) =>
      ask(cheap, { ...task, prompt: `${task.prompt}\n\nIf you are not sure, answer UNSURE.` }).pipe(
        concatMap((answer) => (/\bUNSURE\b/.test(answer.text) ? ask(expert, task) : of(answer))),
      ),
    )

await using orchestrator = await Orchestrator.open({ baseDir: '.claude-agents' })
const team = [
  { id: 'student', systemPrompt: 'You are brief.', model: 'haiku' },
  { id: 'professor', systemPrompt: 'You are thorough.', model: 'opus' },
  { id: 'poet', systemPrompt: 'You answer in verse.' },
]
const present = (await orchestrator.agents()).map(({ id }) => id)
for (const member of team) if (!present.includes(member.id)) await orchestrator.createAgent(member)

const both = parallel([withExpert('student', 'professor'), 'poet'])
const { results } = await orchestrator.run(both, 'Why is the sky blue?')
for (const [agent, text] of Object.entries(results)) console.log(`${agent}: ${text}\n`)
