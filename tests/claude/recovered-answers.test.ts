/** What transcripts say about a call whose end nobody saw: files that two versions wrote, whole and cut off. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { answerReader } from '../../src/claude/recovery.ts'
import { costReader, idReader, type LineReader } from '../../src/claude/session/transcripts.ts'

const captured = (name: string) =>
  readFileSync(join(import.meta.dirname, 'fixtures/transcripts', `${name}.jsonl`), 'utf8')

function read<Result>(reader: LineReader<Result>, text: string): Result {
  for (const line of text.split('\n')) reader.add(line)
  return reader.result()
}

const costState = (text: string) => read(costReader(), text)
const answerIn = ({ own, parent }: { own: string; parent: string | null }, prompt: string) => {
  const before = read(idReader(), parent ?? '')
  return read(answerReader(prompt, { before, costBefore: costState(parent ?? '') ?? 0 }), own)
}

const TOOL_PROMPT = 'TOOL Bash {"command":"echo hi > x.txt"}END'

describe.each(['2.1.197', '2.1.330'])('transcripts of version %s', (version) => {
  const parent = captured(`${version}-answered`)
  const of = (name: string, prompt: string) =>
    answerIn({ own: captured(`${version}-${name}`), parent }, prompt)

  test('an answer is found, with its usage', () => {
    expect(answerIn({ own: parent, parent: null }, 'hello one')).toMatchObject({
      text: 'part0 part1 part2 ',
      usage: { inputTokens: 10, outputTokens: 7, cacheReadTokens: 2, cacheCreationTokens: 3 },
      model: 'claude-sonnet-4-5',
      turns: null,
    })
  })

  test('in a forked session, only what follows our own prompt counts', () => {
    expect(of('answered-with-tool', TOOL_PROMPT)).toMatchObject({
      text: 'part0 part1 part2 ',
      usage: { inputTokens: 20, outputTokens: 14 },
    })
    expect(of('killed', 'MIDHANG')).toBeNull()
  })

  test('a transcript that ends in a tool use has no answer', () => {
    expect(of('killed-in-tool', 'TOOL Bash {"command":"sleep 60"}END')).toBeNull()
  })

  test('the text of an API error is not an answer', () => {
    expect(of('refused', 'STATUS 401')).toBeNull()
  })

  test('a fork with nothing but its history has no answer', () => {
    expect(answerIn({ own: parent, parent }, 'hello one')).toBeNull()
  })

  test('an answer to a mere prefix of our prompt is not an answer to it', () => {
    expect(answerIn({ own: parent, parent: null }, 'hello one, and then much more')).toBeNull()
  })

  test('cut off at any byte, it has either the whole answer or none', () => {
    for (let length = 0; length < parent.length; length += 7) {
      const result = answerIn({ own: parent.slice(0, length), parent: null }, 'hello one')
      expect([undefined, 'part0 part1 part2 ']).toContain(result?.text)
    }
  })
})

test('the cost of a call is what its session records beyond its parent, else an estimate', () => {
  const [parent, own] = [captured('2.1.330-answered'), captured('2.1.330-answered-with-tool')]
  expect(costState(parent)).toBeCloseTo(0.00014685)
  expect(answerIn({ own, parent }, TOOL_PROMPT)?.costUsd).toBeCloseTo(0.0002937)
  expect(costState(captured('2.1.197-answered'))).toBeNull()
  expect(answerIn({ own: captured('2.1.197-answered'), parent: null }, 'hello one')).toMatchObject({
    costUsd: expect.closeTo(0.00014685),
    estimated: true,
  })
})

test('"No response requested." is not an answer', () => {
  const line = (record: object) => JSON.stringify(record)
  const own = [
    line({ type: 'user', uuid: '1', message: { content: '\nhello' } }),
    line({
      type: 'assistant',
      uuid: '2',
      message: {
        model: '<synthetic>',
        stop_reason: 'stop_sequence',
        content: [{ type: 'text', text: 'No response requested.' }],
      },
    }),
  ].join('\n')
  expect(answerIn({ own, parent: null }, 'hello')).toBeNull()
})
