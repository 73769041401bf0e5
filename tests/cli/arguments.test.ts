/** Times as they are written on the command line. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { date, since } from '../../src/cli/arguments.ts'
import { quickCommandLine } from './command.ts'

const two = (number: number) => String(number).padStart(2, '0')

describe('a time on the command line', () => {
  test('is what the log prints, to the millisecond', () => {
    const times = fc.date({ min: new Date('0001-01-01'), max: new Date('9999-12-31'), noInvalidDate: true })
    const isRead = (time: Date) => {
      expect(date(time.toISOString())).toEqual(time)
    }
    fc.assert(fc.property(times, isRead))
  })

  test('is refused on a day that no calendar has, in every form', () => {
    const forms = fc.constantFrom('', 'T12:00', ' 12:00:30.5', 'T12:00Z', 'T00:00:00+02:00', 'T23:59-0330')
    const days = fc.tuple(
      fc.integer({ min: 1970, max: 2100 }),
      fc.integer({ min: 0, max: 13 }),
      fc.integer({ min: 0, max: 32 }),
    )
    fc.assert(
      fc.property(days, forms, ([year, month, day], form) => {
        const utc = new Date(Date.UTC(year, month - 1, day))
        const exists = utc.getUTCMonth() === month - 1 && utc.getUTCDate() === day
        const read = () => date(`${year}-${two(month)}-${two(day)}${form}`)
        if (exists) expect(Number.isNaN(read().getTime())).toBe(false)
        else expect(read).toThrow('There is no such time. Write it as 2026-01-31 or')
      }),
    )
  })

  test.each([
    '2026-12-01 (noon)',
    '2026-12-01 EST',
    '2026-12-01 02:45 PM',
    '2026-12-01T12',
    '2026-12-01Z',
    'tomorrow',
    '',
  ])('is not guessed from %j', (text) => {
    expect(() => since(text)).toThrow(/^Write it as 30m, 2h, 7d, 2026-01-31/)
  })

  test('is local without a zone, and refused if the clocks here skip it', async () => {
    const { run } = await quickCommandLine({ TZ: 'Europe/Berlin' })
    await run(['agent', 'create', 'a', 'You work.'])
    const at = (time: string) => run(['state', 'agent/a', '--at-time', time])
    expect((await at('2026-03-29T01:30')).stderr).toContain('did not exist at 2026-03-29T00:30:00.000Z')
    expect((await at('2026-03-29T03:30')).stderr).toContain('did not exist at 2026-03-29T01:30:00.000Z')
    expect((await at('2026-03-29T02:30Z')).stderr).toContain('did not exist at 2026-03-29T02:30:00.000Z')
    const { stderr } = await at('2026-03-29')
    expect(stderr).toContain('did not exist at 2026-03-29T00:00:00.000Z')
    expect(stderr).toContain('A day begins at midnight in UTC')
    expect(await at('2026-03-29T02:30')).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('no such time'),
    })
  })
})
