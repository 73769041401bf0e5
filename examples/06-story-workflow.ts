// A story in three stages: the answer of each is what {{input}} stands for in the next.
import { Orchestrator } from 'claude-multi-agent'

await using orchestrator = await Orchestrator.open({ baseDir: '.claude-agents' })
const team = {
  plot_designer: 'You create plots that are interesting, and short.',
  writer: 'You make an engaging story of a plot.',
  editor: 'You polish stories: every word counts.',
}
const present = (await orchestrator.agents()).map(({ id }) => id)
for (const [id, systemPrompt] of Object.entries(team))
  if (!present.includes(id)) await orchestrator.createAgent({ id, systemPrompt })

const story = await orchestrator.pipeline(
  [
    { agent: 'plot_designer', prompt: 'Create a plot about {{input}}.' },
    { agent: 'writer', prompt: 'Write a story of 200 words with this plot:\n\n{{input}}' },
    { agent: 'editor', prompt: 'Polish this story:\n\n{{input}}', check: notTooLong },
  ],
  'a lighthouse keeper and a storm',
)
console.log(story.success ? story.metadata.finalOutput : story.errors)

/** What throws here fails the run; it can be resumed. */
function notTooLong(text: string) {
  if (text.length > 10_000) throw new Error(`the story has ${text.length} characters`)
}
