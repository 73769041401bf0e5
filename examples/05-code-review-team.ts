// A code review team: each reviewer checks one aspect, all in parallel, and a lead merges their findings into one list.
// Pass a file: npm run example -- 5 src/login.ts
import { readFile } from 'node:fs/promises'
import { AgentFactory, Orchestrator, parallel } from 'claude-multi-agent'

const [, , file] = process.argv
const code = file
  ? await readFile(file, 'utf8')
  : 'const user = db.query("SELECT * FROM users WHERE name = " + request.query.name)'

await using orchestrator = await Orchestrator.open({ baseDir: '.claude-agents' })
const reviewers = [
  AgentFactory.createSecurityReviewer(),
  AgentFactory.createPerformanceReviewer(),
  AgentFactory.createQualityReviewer(),
]
const present = (await orchestrator.agents()).map(({ id }) => id)
for (const role of [...reviewers, AgentFactory.createLeadReviewer()])
  if (!present.includes(role.id)) await orchestrator.createAgent(role)

const names = reviewers.map(({ id }) => id)
const reviews = await orchestrator.run(parallel(names), { prompt: 'Review this code.', textInput: code })
for (const { agent, message } of reviews.errors) console.error(`${agent} failed: ${message}`)

const found = names.map((name) => `# ${name}\n\n${reviews.results[name] ?? 'no review'}`).join('\n\n')
const plan = await orchestrator.sendTask(
  'lead_reviewer',
  `Merge these reviews into one list, ordered by priority, without repetition:\n\n${found}`,
)
console.log(plan)
