// A research assistant: one agent researches, one analyses, one writes the report. The team and its prompts come with
// the package. Pass a topic: npm run example -- 4 "tidal energy"
import { writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { Orchestrator, ResearchWorkflow } from 'claude-multi-agent'

const topic = process.argv[2] ?? 'coral bleaching'

await using orchestrator = await Orchestrator.open({ baseDir: '.claude-agents' })
const research = new ResearchWorkflow(orchestrator, { agents: { allowedTools: ['WebSearch', 'WebFetch'] } })
await research.setup()

const run = research.execute(`${topic}. Three paragraphs are enough.`)
for await (const { agent, state } of run) console.log(`${agent}: ${state}`)

const { metadata } = await run
const file = resolve('research-report.md')
await writeFile(file, metadata.finalOutput)
console.log(`${file}: ${metadata.steps} steps, $${metadata.costUsd.toFixed(4)}`)
