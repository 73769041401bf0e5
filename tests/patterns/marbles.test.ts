/** Each pattern as marbles: whom it asks and when, in which order it answers, how it fails, and what unsubscribing does. */
import { defer, finalize, from as fromInput, Observable, type ObservableInput, tap, throwError } from 'rxjs'
import { TestScheduler } from 'rxjs/testing'
import { describe, expect, test } from 'vitest'
import type { Answer } from '../../src/patterns/answers.ts'
import { hierarchical } from '../../src/patterns/hierarchical.ts'
import { debate, loopUntil } from '../../src/patterns/loop-until.ts'
import { mapReduce } from '../../src/patterns/map-reduce.ts'
import { parallel } from '../../src/patterns/parallel.ts'
import type { Ask, Pattern, StepOptions } from '../../src/patterns/pattern.ts'
import { pipeline } from '../../src/patterns/pipeline.ts'
import { pool } from '../../src/patterns/pool.ts'
import { race } from '../../src/patterns/race.ts'
import { route } from '../../src/patterns/route.ts'
import { sequential } from '../../src/patterns/sequential.ts'
import { vote } from '../../src/patterns/vote.ts'

interface Asked {
  readonly who: string
  readonly prompt: string
  readonly options: StepOptions | undefined
}

/** Runs a pattern in virtual time. Each agent answers by its marble diagram: `--a|` answers with its name and its text. */
function play(
  pattern: Pattern,
  agents: Readonly<Record<string, string | ((prompt: string, count: number) => string)>>,
  expected: string,
  values: Readonly<Record<string, string>>,
  unsubscribed?: string,
) {
  const asked: Asked[] = []
  const cancelled: string[] = []
  new TestScheduler((actual, wanted) => expect(actual).toEqual(wanted)).run(
    ({ cold, hot, expectObservable }) => {
      const ask: Ask = (worker, task, options) =>
        defer(() => {
          const who = typeof worker === 'string' ? worker : worker.pool
          const count = asked.filter((one) => one.who === who).length
          asked.push({ who, prompt: task.prompt, options })
          const marble = agents[who]
          if (marble === undefined) return throwError(() => new Error(`nobody is called ${who}`))
          if (typeof marble !== 'string') {
            return cold('-a|', { a: { agent: who, text: marble(task.prompt, count) } })
          }
          let over = false
          return cold(marble, { a: { agent: who, text: who } }, new Error(`${who} failed`)).pipe(
            tap({ complete: () => (over = true), error: () => (over = true) }),
            finalize(() => over || cancelled.push(who)),
          )
        })
      const input = hot('x|', { x: { prompt: 'go' } })
      const output = input.pipe(pattern(ask))
      const texts = new Observable<string>((subscriber) =>
        output.subscribe({
          next: ({ text, error }) => subscriber.next(error ? `!${error.message}` : text),
          error: (error) => subscriber.error(error),
          complete: () => subscriber.complete(),
        }),
      )
      expectObservable(texts, unsubscribed).toBe(expected, values, new Error('b failed'))
    },
  )
  return Object.assign(asked, { cancelled })
}

const echo = (prompt: string) => `<${prompt.split('\n', 1)[0]}>`
const whom = (asked: readonly Asked[]) => asked.map(({ who }) => who).join('')

describe('sequential', () => {
  test('asks one after another, and answers with the last answer', () => {
    const asked = play(sequential(['a', 'b']), { a: '--a|', b: '-a|' }, '----x|', { x: 'b' })
    expect(whom(asked)).toBe('ab')
    expect(asked[1]?.prompt).toContain('go')
    expect(asked[1]?.prompt).toContain('so far:\n\na')
  })

  test('makes the next prompt with transform', () => {
    const asked = play(
      sequential(['a', 'b'], { transform: (text, { step }) => `${step}: ${text}` }),
      { a: '-a|', b: '-a|' },
      '---x|',
      { x: 'b' },
    )
    expect(asked[1]?.prompt).toBe('1: a')
  })

  test('fails with the failing step, and asks no further agent', () => {
    expect(whom(play(sequential(['a', 'b', 'c']), { a: '-a|', b: '-#', c: '-a|' }, '---#', {}))).toBe('ab')
  })

  test('stops when it is unsubscribed', () => {
    const asked = play(sequential(['a', 'b']), { a: '--a|', b: '-a|' }, '---', {}, '-!')
    expect(whom(asked)).toBe('a')
    expect(asked.cancelled).toEqual(['a'])
  })
})

describe('parallel', () => {
  test('asks all agents at once, and answers in their order', () => {
    const asked = play(parallel(['a', 'b', 'c']), { a: '---a|', b: '-a|', c: '--a|' }, '----(xyz|)', {
      x: 'a',
      y: 'b',
      z: 'c',
    })
    expect(whom(asked)).toBe('abc')
  })

  test('runs no more steps at once than its concurrency', () => {
    play(parallel(['a', 'b', 'c'], { concurrency: 1 }), { a: '-a|', b: '-a|', c: '-a|' }, '------(xyz|)', {
      x: 'a',
      y: 'b',
      z: 'c',
    })
  })

  test('keeps the other answers when a step fails, and reports the failure', () => {
    play(parallel(['a', 'b', 'c']), { a: '-a|', b: '--#', c: '---a|' }, '----(xyz|)', {
      x: 'a',
      y: '!b failed',
      z: 'c',
    })
  })

  test('fails at once with onError: fail', () => {
    const agents = { a: '---a|', b: '-#', c: '---a|' }
    const asked = play(parallel(['a', 'b', 'c'], { onError: 'fail' }), agents, '-#', {})
    expect(asked.cancelled).toEqual(['a', 'c'])
  })
})

describe('race', () => {
  test('answers with the first accepted answer', () => {
    const asked = play(race(['a', 'b']), { a: '---a|', b: '-a|' }, '-(x|)', { x: 'b' })
    expect(asked.cancelled).toContain('a')
  })

  test('skips answers that fail or are not accepted', () => {
    const accept = ({ text }: Answer) => text !== 'c'
    play(race(['b', 'c', 'a'], { accept }), { b: '-#', c: '--a|', a: '---a|' }, '---(x|)', { x: 'a' })
  })

  test('fails when all steps have failed', () => {
    play(race(['b']), { b: '-#' }, '-#', {})
  })
})

describe('pipeline', () => {
  test('passes each text on through prompt and parse', () => {
    const asked = play(
      pipeline([
        { agent: 'a', parse: (text) => text.toUpperCase() },
        { agent: 'b', prompt: 'Report on {{input}}, $&!' },
      ]),
      { a: '-a|', b: '-a|' },
      '----(x|)',
      { x: 'b' },
    )
    expect(asked.map(({ prompt }) => prompt)).toEqual(['go', 'Report on A, $&!'])
  })
})

describe('mapReduce', () => {
  test('works on the pieces side by side in fresh sessions, and keeps their order', () => {
    const pattern = mapReduce({
      split: () => ['one', 'two', 'three'],
      map: pool('worker', { size: 2 }),
    })
    const asked = play(pattern, { worker: echo }, '----(x|)', { x: '<one>\n\n<two>\n\n<three>' })
    expect(asked.map(({ options }) => options?.session)).toEqual(['fresh', 'fresh', 'fresh'])
  })

  test('reduces the results to one answer', () => {
    const pattern = mapReduce({ split: () => ['one', 'two'], map: 'a', reduce: 'b', concurrency: 2 })
    const asked = play(pattern, { a: echo, b: '-a|' }, '---x|', { x: 'b' })
    expect(asked.at(-1)?.prompt).toContain('<one>\n\n---\n\n<two>')
  })
})

describe('vote', () => {
  test('asks several times in separate sessions, and the majority wins', () => {
    const answers = ['Blue', 'red', ' blue ']
    const asked = play(vote(['a']), { a: (_, count) => answers[count] ?? '' }, '--(x|)', { x: 'Blue' })
    expect(asked.map(({ options }) => options?.session)).toEqual(['fresh', 'fresh', 'fresh'])
  })

  test('lets a judge decide', () => {
    const asked = play(vote(['a', 'c'], { judge: 'b' }), { a: echo, c: echo, b: '-a|' }, '---x|', { x: 'b' })
    expect(asked.at(-1)?.prompt).toContain('Answer 2:\n<go>')
  })
})

describe('loopUntil and debate', () => {
  test('repeats until the answer is good enough', () => {
    const pattern = loopUntil('a', { until: (_, round) => round === 3, rounds: 9 })
    expect(whom(play(pattern, { a: (_, count) => `${count}` }, '------(x|)', { x: '2' }))).toBe('aaa')
  })

  test('stops after the last round', () => {
    const pattern = loopUntil('a', { until: () => false, rounds: 2 })
    expect(whom(play(pattern, { a: (_, count) => `${count}` }, '----(x|)', { x: '1' }))).toBe('aa')
  })

  test('has the writer revise until the critic approves', () => {
    const pattern = debate({ writer: 'a', critic: 'c' })
    const agents = {
      a: (_: string, count: number) => `draft ${count}`,
      c: (_: string, count: number) => (count ? 'Approved.' : 'No.'),
    }
    const asked = play(pattern, agents, '--------(x|)', { x: 'draft 1' })
    expect(whom(asked)).toBe('acac')
    expect(asked[2]?.prompt).toContain('No.')
  })
})

describe('route', () => {
  test('asks the step that the classifier names', () => {
    const pattern = route({ classifier: 'c', routes: { billing: 'a', technical: 'b' } })
    expect(
      whom(play(pattern, { c: () => 'It is Technical.', a: '-a|', b: '-a|' }, '---x|', { x: 'b' })),
    ).toBe('cb')
  })

  test('takes the fallback if the classifier names no route', () => {
    const pattern = route({ classifier: 'c', routes: { billing: 'b' }, fallback: 'a' })
    expect(whom(play(pattern, { c: () => 'no idea', a: '-a|', b: '-a|' }, '---x|', { x: 'a' }))).toBe('ca')
  })
})

describe('hierarchical', () => {
  test('has the manager plan, the workers work side by side, and the manager merge', () => {
    const pattern = hierarchical({ manager: 'm', workers: ['a', 'b'] })
    const agents = { m: (_: string, count: number) => (count ? 'sum' : 'plan'), a: '--a|', b: '-a|' }
    const asked = play(pattern, agents, '------x|', { x: 'sum' })
    expect(whom(asked)).toBe('mabm')
    expect(asked[1]?.prompt).toContain('plan')
    expect(asked[1]?.prompt).toContain('You are a.')
    expect(asked[3]?.prompt.indexOf('## a')).toBeLessThan(asked[3]?.prompt.indexOf('## b') ?? 0)
  })
})

describe('patterns nest:', () => {
  test('a parallel in a sequence in a sequence', () => {
    const pattern = sequential(['a', sequential([parallel(['b', 'c']), 'd'])])
    const asked = play(pattern, { a: '-a|', b: '-a|', c: '--a|', d: '-a|' }, '------x|', { x: 'd' })
    expect(whom(asked)).toBe('abcd')
    expect(asked.at(-1)?.prompt).toContain('## b\n\nb\n\n## c\n\nc')
    expect(pattern.agents).toEqual(['a', 'b', 'c', 'd'])
  })

  test('one of your own is an RxJS operator', () => {
    const shout: Pattern = (ask) => (tasks: ObservableInput<{ prompt: string }>) =>
      new Observable((subscriber) =>
        fromInput(tasks).subscribe({
          next: (task) => ask('a', { prompt: task.prompt.toUpperCase() }).subscribe(subscriber),
        }),
      )
    expect(play(sequential([shout, 'b']), { a: echo, b: '-a|' }, '---x|', { x: 'b' })[0]?.prompt).toBe('GO')
  })
})

describe('bad patterns are refused before anything is asked:', () => {
  test.each([
    ['no agents', () => sequential([])],
    ['an agent twice', () => parallel(['a', 'a'])],
    ['no routes', () => route({ classifier: 'a', routes: {} })],
    ['a width of nothing', () => parallel(['a'], { concurrency: 0 })],
    ['a pool of half a copy', () => pool('a', { size: 0.5 })],
    ['a bad name of a pool', () => pool('A b', { size: 2 })],
    ['something that is no step', () => sequential([42 as never])],
  ])('%s', (_, make) => {
    expect(make).toThrow(/agents|twice|routes|whole number|valid|not an agent/)
  })
})
