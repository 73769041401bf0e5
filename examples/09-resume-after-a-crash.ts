// A run that survives a crash. Let it crash after the first answer, then run it again: it resumes where it stopped.
//   npm run example -- 9 crash
//   npm run example -- 9
import { Orchestrator, sequential } from 'claude-multi-agent'

await using orchestrator = await Orchestrator.open({ baseDir: '.claude-agents' })
const present = (await orchestrator.agents()).map(({ id }) => id)
for (const id of ['collector', 'editor', 'publisher'])
  if (!present.includes(id))
    await orchestrator.createAgent({ id, systemPrompt: `You are the ${id} of a newsletter.` })

// One id is one run. If the log has it, it resumes, and steps that were answered are answered from the log.
const newsletter = sequential(['collector', 'editor', 'publisher'])
const run = orchestrator.run(newsletter, 'Gardening news for May', { id: 'newsletter-may' })
for await (const { agent, state } of run) {
  console.log(`${agent}: ${state}`)
  // The hardest kind of crash: no cleanup can run.
  if (state === 'succeeded' && process.argv[2] === 'crash') process.kill(process.pid, 'SIGKILL')
}
const { metadata } = await run
console.log(`${metadata.steps} steps, ${metadata.reused} of them from the log`)
