// A story in three stages: each stage's answer replaces {{input}} in the next prompt.
import { Orchestrator } from 'claude-multi-agent'

await using orchestrator = await Orchestrator.open({ baseDir: '.claude-agents' })
const team = {
  plot_designer: 'You create short, interesting plots.',
  writer: 'You turn a plot into an engaging story.',
  editor: 'You polish stories: every word counts.',
}
const present = (await orchestrator.agents()).map(({ id }) => id)
for (const [id, systemPrompt] of Object.entries(team))
  if (!present.includes(id)) await orchestrator.createAgent({ id, systemPrompt })

const story = await orchestrator.pipeline(
  [
    { agent: 'plot_designer', prompt: 'Create a plot about {{input}}.' },
    { agent: 'writer', prompt: 'Write a 200-word story with this plot:\n\n{{input}}' },
    { agent: 'editor', prompt: 'Polish this story:\n\n{{input}}', check: notTooLong },
  ],
  'a lighthouse keeper and a storm',
)
console.log(story.success ? story.metadata.finalOutput : story.errors)

/** An exception here fails the run; the run can be resumed. */
function notTooLong(text: string) {
  if (text.length > 10_000) throw new Error(`the story has ${text.length} characters`)
}
