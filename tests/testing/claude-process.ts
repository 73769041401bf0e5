/** Runs the real `claude` once, in a fresh home, as the runner does: prompt on stdin, stream-json on stdout. */
import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const CLAUDE =
  process.env.CLAUDE_AGENTS_CLAUDE_PATH ??
  fileURLToPath(new URL('../../node_modules/.bin/claude', import.meta.url))

export interface ClaudeHome extends AsyncDisposable {
  readonly workspace: string
  readonly home: string
}

export interface ClaudeTurn {
  readonly exitCode: number | null
  readonly lines: readonly Record<string, unknown>[]
  readonly result: Record<string, unknown> | undefined
  readonly stderr: string
}

export async function claudeHome(): Promise<ClaudeHome> {
  const directory = await mkdtemp(join(tmpdir(), 'claude-home-'))
  const [workspace, home] = [join(directory, 'workspace'), join(directory, 'home')]
  await Promise.all([mkdir(workspace), mkdir(home)])
  const remove = () => rm(directory, { recursive: true, force: true, maxRetries: 5 })
  return { workspace, home, [Symbol.asyncDispose]: remove }
}

export function runClaude(
  { workspace, home }: ClaudeHome,
  environment: Readonly<Record<string, string>>,
  prompt: string,
  flags: readonly string[] = [],
): Promise<ClaudeTurn> {
  const child = spawn(
    CLAUDE,
    [
      ...[
        '-p',
        '--output-format',
        'stream-json',
        '--verbose',
        '--setting-sources',
        '',
        '--strict-mcp-config',
      ],
      ...['--permission-mode', 'acceptEdits', '--disable-slash-commands', '--model', 'sonnet'],
      ...['--disallowedTools', 'ListAgents', 'SendMessage', ...flags],
    ],
    {
      cwd: workspace,
      env: {
        PATH: process.env.PATH,
        LANG: 'C.UTF-8',
        HOME: home,
        CLAUDE_CONFIG_DIR: join(home, '.claude'),
        DISABLE_AUTOUPDATER: '1',
        DISABLE_TELEMETRY: '1',
        CLAUDE_CODE_MAX_RETRIES: '2',
        CLAUDE_CODE_DISABLE_FILE_MENTIONS: '1',
        CLAUDE_CODE_DISABLE_BACKGROUND_TASKS: '1',
        ...environment,
      },
    },
  )
  child.stdin.end(`\n${prompt}`)
  const output: string[] = []
  const errors: string[] = []
  child.stdout.setEncoding('utf8').on('data', (piece: string) => output.push(piece))
  child.stderr.setEncoding('utf8').on('data', (piece: string) => errors.push(piece))
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject).once('close', resolve)
  })
  return ended.then((exitCode) => {
    const written = output.join('').split('\n').filter(Boolean)
    const lines = written.map((line) => JSON.parse(line) as Record<string, unknown>)
    const result = lines.findLast((line) => line.type === 'result')
    return { exitCode, lines, result, stderr: errors.join('') }
  })
}
