/** Secrets are where they are needed and nowhere else: not in the log, not in an error, not in debug output. */
import { chmod, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { REAL_CLAUDE } from '../claude/calls.ts'
import { commandLine } from '../cli/command.ts'

/** Named after where each is given. */
const CANARIES = {
  ANTHROPIC_API_KEY: 'canary-api-key-01',
  ANTHROPIC_AUTH_TOKEN: 'canary-auth-token-02',
  ANTHROPIC_CUSTOM_HEADERS: 'canary-header-03',
  HTTPS_PROXY: 'canary-proxy-04',
  ANTHROPIC_BASE_URL: 'canary-gateway-05',
  UNRELATED_PASSWORD: 'canary-unrelated-06',
  WORD_OF_THE_SERVER: 'canary/word of the server-08',
} as const

/** Values of the server that look like no secret: from a variable, within a text, and from a file. */
const IN_A_FILE = 'canary-in-a-file-09'
const SERVERS = {
  docs: {
    command: process.execPath,
    args: ['-e', 'process.stdin.resume()'],
    env: {
      WORD: { env: 'WORD_OF_THE_SERVER' },
      // biome-ignore lint/suspicious/noTemplateCurlyInString: a reference to a variable
      SENTENCE: 'the word is ${WORD_OF_THE_SERVER}.',
      FILE: { file: 'word.txt' },
    },
  },
}
const formsOf = (canary: string) => [
  canary,
  encodeURIComponent(canary),
  Buffer.from(canary).toString('base64').slice(4, -4),
]
const OF_SERVERS = [CANARIES.WORD_OF_THE_SERVER, IN_A_FILE].flatMap(formsOf)
const FORMS = [...Object.values(CANARIES), ...OF_SERVERS]

const IN_THE_PROMPT = 'canary-prompt-07'

const ENVIRONMENT = {
  ...CANARIES,
  ANTHROPIC_CUSTOM_HEADERS: `X-Gate: ${CANARIES.ANTHROPIC_CUSTOM_HEADERS}`,
  HTTPS_PROXY: `http://me:${CANARIES.HTTPS_PROXY}@127.0.0.1:1`,
  ANTHROPIC_BASE_URL: `http://me:${CANARIES.ANTHROPIC_BASE_URL}@127.0.0.1:1`,
  CLAUDE_AGENTS_CLAUDE_PATH: REAL_CLAUDE,
}

/** Prints everything it was given, where a program reports errors. */
const TALKATIVE = `#!/usr/bin/env node
const { readFileSync, readdirSync } = require('node:fs')
if (process.argv.includes('--version')) {
  console.log('2.1.197 (Claude Code)')
  process.exit()
}
const key = readFileSync('/proc/self/fd/3', 'utf8').trim()
const servers = process.env.HOME + '/servers'
const given = readdirSync(servers).map((name) => readFileSync(servers + '/' + name, 'utf8'))
const { docs } = JSON.parse(given[readdirSync(servers).indexOf('mcp.json')]).mcpServers
const words = Object.values(docs.env).flatMap((word) => [
  word,
  encodeURIComponent(word),
  'a=' + Buffer.from(word).toString('base64'),
  Buffer.from('me:' + word).toString('base64url'),
])
const said = [key, 'Authorization: Bearer ' + key, ...Object.values(process.env), ...given, ...words].join(' | ')
console.error(said)
console.log(said)
console.log(JSON.stringify({ type: 'result', subtype: 'error_during_execution', is_error: true, errors: [said] }))
process.exitCode = 1
`

async function everyFile(directory: string): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    if (entry.isFile()) found.set(path, await readFile(path, 'latin1'))
  }
  return found
}

test.runIf(process.platform === 'linux').each([
  ['a program that prints all it knows', TALKATIVE],
  ['the real claude, which cannot reach its service', null],
])('no secret comes out of %s', async (_, program) => {
  const { folder, run } = await commandLine(ENVIRONMENT)
  const words: string[] = []
  if (program !== null) {
    const path = join(folder, 'claude')
    await writeFile(path, program)
    await chmod(path, 0o755)
    words.push('--claude', path)
  }
  await writeFile(join(folder, 'word.txt'), `${IN_A_FILE}\n`)
  await writeFile(join(folder, 'servers.json'), JSON.stringify({ mcpServers: SERVERS }))
  const settings = ['--mcp-config', 'servers.json', '--retries', '0', '--timeout', '60']
  expect((await run(['agent', 'create', 'a', 'You help.', ...settings])).exitCode).toBe(0)
  const toFile = ['--set', 'logging.file=agents.log', '--log-level', 'debug']
  const prompt = `Help me with ${IN_THE_PROMPT}, please.`
  const asked = await run(['agent', 'ask', 'a', prompt, ...toFile, '--json', ...words])
  expect(asked.exitCode).toBe(1)
  expect(asked.stderr).toContain('starting a process')
  const written = await readFile(join(folder, 'agents.log'), 'utf8')
  expect(written).toContain('"durationMs":')
  // The prompt is in the fact that records it, and nowhere else that people look.
  expect(asked.stderr + asked.stdout + written).not.toContain(IN_THE_PROMPT)
  const shown = await run(['agent', 'show', 'a', '--json'])
  const log = await run(['log', '--json'])
  expect(log.stdout).toContain('TaskFailed')
  // It did print them.
  if (program !== null) expect(log.stdout).toContain('[redacted]')

  const places = new Map(await everyFile(join(folder, '.claude-agents')))
  places.set('agents.log', written)
  const exported = await run(['log', 'export', 'log.jsonl'])
  places.set('log.jsonl', await readFile(join(folder, 'log.jsonl'), 'latin1'))
  const defined = await run(['agent', 'export', 'a'])
  expect(exported.exitCode + defined.exitCode).toBe(0)
  for (const [name, { stdout, stderr }] of Object.entries({ asked, shown, log, exported, defined })) {
    places.set(name, stdout + stderr)
  }
  const leaks = [...places].flatMap(([place, text]) =>
    FORMS.flatMap((form) => (text.includes(form) ? [`${form} in ${place}`] : [])),
  )
  // Of its login, the stdout of a call is kept verbatim, for its agent alone, until the next call.
  const isOfServer = (leak: string) => OF_SERVERS.some((form) => leak.startsWith(form))
  expect(leaks.filter((leak) => isOfServer(leak) || !leak.endsWith('.stdout'))).toEqual([])
})
