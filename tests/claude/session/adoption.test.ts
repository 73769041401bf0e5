/** Finding and checking what is to be adopted: whatever a file is, it is read without harm, or refused with the reason. */
import { execFileSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdir, readFile, stat, symlink, truncate, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { adoptSession, findSession } from '../../../src/claude/session/adoption.ts'
import { Sessions } from '../../../src/claude/session/sessions.ts'
import { InvalidInputError } from '../../../src/events/errors/usage.ts'
import { temporaryDirectory } from '../../store/temporary.ts'

const TRANSCRIPTS = join(import.meta.dirname, '../fixtures/transcripts')
const recorded = (name: string) => readFile(join(TRANSCRIPTS, `${name}.jsonl`), 'utf8')

/** A line of a transcript. */
const line = (
  type: 'user' | 'assistant',
  sessionId: string,
  text: string,
  uuid: string = randomUUID(),
  parentUuid = '',
) =>
  JSON.stringify({
    ...{ type, sessionId, uuid, parentUuid, isSidechain: false },
    message: { role: type, content: type === 'user' ? text : [{ type: 'text', text }] },
  })

const refusal = (session: string, environment?: Record<string, string>) =>
  findSession(session, environment).then(
    () => 'adopted',
    (error: unknown) => (error instanceof InvalidInputError ? error.message : `threw ${error}`),
  )

test.each([
  ['2.1.197-answered-with-tool', 2],
  ['2.1.330-answered', 1],
] as const)(
  'the transcript of %s is adopted with its turns, and copied byte for byte',
  async (name, turns) => {
    const folder = await temporaryDirectory()
    const path = join(folder, 'anything.jsonl')
    await writeFile(path, await recorded(name))
    await utimes(path, 1_000_000, 1_000_000)
    const found = await findSession(path)
    expect(found).toMatchObject({ path, turns, sessionId: expect.stringMatching(/^[0-9a-f-]{36}$/) })
    const to = { workspace: folder, home: join(folder, 'home') }
    await adoptSession(found, to)
    const project = folder.replace(/[^A-Za-z0-9]/g, '-')
    const copy = join(to.home, '.claude/projects', project, `${found.sessionId}.jsonl`)
    expect(await readFile(copy, 'utf8')).toBe(await recorded(name))
    expect(await readFile(path, 'utf8')).toBe(await recorded(name))
    expect((await stat(path)).mtimeMs).toBe(1_000_000_000)
  },
)

test('a session is found by its id among the projects of Claude Code, and refused if it is missing or there twice', async () => {
  const config = await temporaryDirectory()
  const environment = { CLAUDE_CONFIG_DIR: config }
  const sessionId = randomUUID()
  expect(await refusal(sessionId, environment)).toMatch(/Claude Code has none in .*projects/)
  const text = await recorded('2.1.330-answered')
  for (const project of ['-work-one', '-work-two']) {
    await mkdir(join(config, 'projects', project), { recursive: true })
    await writeFile(join(config, 'projects', project, `${sessionId}.jsonl`), text)
    if (project === '-work-one')
      expect(await findSession(sessionId, environment)).toMatchObject({ sessionId, turns: 1 })
  }
  expect(await refusal(sessionId, environment)).toMatch(/several projects .*-work-one.*-work-two/)
})

const PLANTED: Readonly<Record<string, readonly [plant: (path: string) => unknown, problem: RegExp]>> = {
  nothing: [() => {}, /it does not exist/],
  'a pipe': [(path) => execFileSync('mkfifo', [path]), /it is not a file/],
  'a directory': [(path) => mkdir(path), /it is a directory/],
  'a link': [(path) => symlink(join(TRANSCRIPTS, '2.1.330-answered.jsonl'), path), /it is a link/],
  'two gigabytes': [
    async (path) => {
      await writeFile(path, '')
      await truncate(path, 2 ** 31)
    },
    /it is larger than 512 MiB/,
  ],
  'an empty file': [(path) => writeFile(path, ''), /it is not a transcript/],
  'a binary file': [
    (path) => writeFile(path, Buffer.from([0, 10, 255, 0, 123, 10, 125])),
    /it is not a transcript/,
  ],
  "another product's JSON": [
    (path) => writeFile(path, '{"role":"user","content":"hi"}\n{"role":"assistant","content":"hello"}\n'),
    /it is not a transcript/,
  ],
  'half a line': [
    async (path) => writeFile(path, (await recorded('2.1.330-answered')).trimEnd().slice(0, -7)),
    /its last line is incomplete/,
  ],
  'a prompt without an answer': [
    (path) => writeFile(path, `${line('user', randomUUID(), 'hi')}\n`),
    /it has no turn/,
  ],
}

test.each(Object.entries(PLANTED))('%s is refused with the reason', async (_, [plant, problem]) => {
  const path = join(await temporaryDirectory(), 'session.jsonl')
  await plant(path)
  expect(await refusal(path)).toMatch(problem)
})

test('a transcript that is cut off anywhere is adopted with the turns that it still has, or refused', async () => {
  const path = join(await temporaryDirectory(), 'session.jsonl')
  const sessionId = randomUUID()
  const lines = [1, 2, 3].flatMap((turn) => [
    line('user', sessionId, `question ${turn} ☂`, `q${turn}`, `a${turn - 1}`),
    line('assistant', sessionId, `answer ${turn}`, `a${turn}`, `q${turn}`),
  ])
  const whole = Buffer.from(`${lines.join('\n')}\n`)
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: whole.length }), async (bytes) => {
      const kept = whole.subarray(0, bytes)
      await writeFile(path, kept)
      const complete = kept.toString().split('\n')
      const ended = complete.at(-1) === '' || lines.includes(complete.at(-1) ?? '')
      const answered = complete.filter((text) => lines.indexOf(text) % 2 === 1).length
      const found = await findSession(path).catch((error: unknown) => error)
      if (ended && answered > 0) expect(found).toMatchObject({ turns: answered, sessionId })
      else expect(found).toBeInstanceOf(InvalidInputError)
    }),
    { numRuns: 60 },
  )
})

test('a fork that was written in another order has its turns, and ends with what was said last', async () => {
  const folder = await temporaryDirectory()
  const path = join(folder, 'fork.jsonl')
  const sessionId = randomUUID()
  const uuid = (digit: number) => `0000000${digit}-0000-4000-8000-000000000000`
  const said = (at: number, type: 'user' | 'assistant') =>
    line(type, sessionId, `said ${at}`, uuid(at), uuid(at - 1)).replace(
      '{',
      `{"timestamp":"2026-01-01T00:00:0${at}Z",`,
    )
  const lines = [said(4, 'assistant'), said(1, 'user'), said(2, 'assistant'), said(3, 'user')]
  await writeFile(path, `${lines.join('\n')}\n`)
  const found = await findSession(path)
  expect(found.turns).toBe(2)
  const home = join(folder, 'home')
  await adoptSession(found, { workspace: folder, home })
  expect((await new Sessions(home).answers()).get(sessionId)?.line).toBe(uuid(4))
})
