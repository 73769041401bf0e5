/** An account without credit holds its tasks, and a person resumes it; what the service tells of limits is shown. */
import { chmod, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { commandLine } from '../command.ts'

/** A claude that cannot pay while a file is there, and tells how far its session is used. */
const program = (broke: string) => `#!/usr/bin/env node
const { existsSync, readFileSync } = require('node:fs')
if (process.argv.includes('--version')) {
  console.log('2.1.330 (Claude Code)')
  process.exit()
}
readFileSync(0)
const session_id = process.argv[process.argv.indexOf('--session-id') + 1]
const print = (record) => console.log(JSON.stringify({ session_id, ...record }))
print({ type: 'system', subtype: 'init', model: 'x', tools: [] })
const window = { status: 'allowed', resetsAt: 4102444800, rateLimitType: 'five_hour', utilization: 0.25 }
print({ type: 'rate_limit_event', rate_limit_info: window })
const result = (more) => print({ type: 'result', subtype: 'success', total_cost_usd: 0, usage: {}, ...more })
if (existsSync(${JSON.stringify(broke)})) result({ is_error: true, result: "You've hit your monthly spend limit" })
else result({ is_error: false, result: 'done', stop_reason: 'end_turn' })
`

test('An account that cannot pay holds a task with exit code 75, and resuming it resumes the task', async () => {
  const { folder, run } = await commandLine({ ANTHROPIC_API_KEY: 'sk-ant-test' })
  const [broke, claude] = [join(folder, 'broke'), join(folder, 'claude')]
  await writeFile(broke, '')
  await writeFile(claude, program(broke))
  await chmod(claude, 0o755)
  const withClaude = ['--claude', claude]
  await run(['agent', 'create', 'writer', 'You write.'])
  expect(await run(['account', 'list'])).toMatchObject({ exitCode: 0, stdout: '' })
  const held = await run([...withClaude, 'agent', 'ask', 'writer', 'hello', '--task-id', 't1'])
  expect(held).toMatchObject({ exitCode: 75, stdout: '' })
  expect(held.stderr).toContain("You've hit your monthly spend limit")
  expect(held.stderr).toContain('claude-agents account resume')
  expect((await run(['agent', 'held'])).stdout).toContain('t1')
  expect((await run(['account', 'list', '--json'])).values).toMatchObject([
    {
      status: 'held',
      said: expect.stringContaining('monthly spend limit'),
      windows: [{ name: 'five_hour', utilization: 0.25, resetsAt: '2100-01-01T00:00:00.000Z' }],
    },
  ])
  for (const command of ['top', 'ps']) {
    const { stdout, stderr } = await run([command])
    expect(stdout + stderr).toContain('five_hour 25% used, resets 2100-01-01 00:00 UTC; held: ')
  }
  expect((await run(['metrics'])).stdout).toMatch(/^claude_agents_account_held\{account="[^"]+"\} 1$/m)
  await rm(broke)
  const resumed = await run([...withClaude, 'account', 'resume'])
  expect(resumed).toMatchObject({
    exitCode: 0,
    stderr: expect.stringContaining('task t1 of writer was resumed'),
  })
  expect((await run(['account', 'list', '--json'])).values).toMatchObject([{ status: 'open', said: null }])
  expect(await run(['account', 'resume', 'nobody'])).toMatchObject({
    exitCode: 2,
    stderr: expect.stringMatching(/nothing is known of it\.\n *List them: claude-agents account list/),
  })
})
