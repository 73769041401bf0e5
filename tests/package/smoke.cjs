// A user's program in CommonJS, run beside the installed package with each Node that is supported: every entry point is
// there, and an agent answers, the second time from the log.
const assert = require('node:assert/strict')
const { execFileSync } = require('node:child_process')
const { mkdtempSync, rmSync } = require('node:fs')
const { tmpdir } = require('node:os')
const { join } = require('node:path')

const schema = require('claude-multi-agent/schema.json')
const { version, bin } = require('claude-multi-agent/package.json')

async function main() {
  assert.equal(schema.type, 'object')
  const { ClaudeAgentError, Orchestrator, sequential } = await import('claude-multi-agent')
  const patterns = await import('claude-multi-agent/patterns')
  const { inspector } = await import('claude-multi-agent/inspect')
  const { eventStoreContract, scriptedRunner } = await import('claude-multi-agent/testing')
  const { loadConfig } = await import('claude-multi-agent/config')
  const errors = await import('claude-multi-agent/errors')
  const { verifyStore } = await import('claude-multi-agent/log')
  assert.equal(patterns.sequential, sequential)
  assert.equal(errors.ClaudeAgentError, ClaudeAgentError)
  assert.equal(typeof loadConfig, 'function')
  assert.equal(typeof verifyStore, 'function')
  assert.equal(typeof inspector, 'function')
  assert.equal(typeof eventStoreContract, 'function')

  const baseDir = mkdtempSync(join(tmpdir(), 'claude-agents-smoke-'))
  try {
    const asked = []
    const runner = scriptedRunner({
      reply({ prompt }) {
        asked.push(prompt)
        return `Yes: ${prompt}`
      },
    })
    for (const round of [1, 2]) {
      const orchestrator = await Orchestrator.open({
        baseDir,
        runner,
        agents: [{ id: 'a', systemPrompt: 'You are a.' }],
      })
      const agent = await orchestrator.agent('a')
      assert.equal(
        (await agent.ask('Is it there?', { taskId: 'once' })).text,
        'Yes: Is it there?',
        `round ${round}`,
      )
      await orchestrator.close()
    }
    assert.deepEqual(asked, ['Is it there?'])
    const main = join(require.resolve('claude-multi-agent/package.json'), '..', bin['claude-agents'])
    const said = (...words) => execFileSync(process.execPath, [main, ...words], { encoding: 'utf8' })
    assert.equal(said('--version'), `${version}\n`)
    assert.match(said('--base-dir', baseDir, 'agent', 'list'), /^a +idle /m)
  } finally {
    rmSync(baseDir, { recursive: true, force: true })
  }
  process.stdout.write(`works with Node ${process.versions.node}\n`)
}

main()
