import { describe, expect, it } from 'vitest'
import { pause } from '../../src/clock.ts'
import { virtualClock } from '../../src/testing/virtual-clock.ts'

describe('the virtual clock', () => {
  it('fires timers in the order in which they are due, each at its own time', async () => {
    const clock = virtualClock(1_000)
    const fired: [string, number][] = []
    clock.after(30, () => fired.push(['late', clock.now()]))
    clock.after(10, () => fired.push(['early', clock.now()]))
    clock.after(10, () => fired.push(['early, set second', clock.now()]))
    await clock.advance(29)
    expect(fired).toEqual([
      ['early', 1_010],
      ['early, set second', 1_010],
    ])
    expect(clock.now()).toBe(1_029)
    expect(clock.pending).toBe(1)
    expect(clock.nextAt).toBe(1_030)
    await clock.advance(1)
    expect(fired.at(-1)).toEqual(['late', 1_030])
    expect(clock.pending).toBe(0)
    expect(clock.nextAt).toBeNull()
  })

  it('lets promises run between timers, so that one advance completes a chain of pauses', async () => {
    const clock = virtualClock(0)
    const seen: number[] = []
    const work = (async () => {
      for (let round = 0; round < 5; round += 1) {
        await pause(clock, 100)
        seen.push(clock.now())
      }
    })()
    await clock.advance(500)
    expect(seen).toEqual([100, 200, 300, 400, 500])
    await work
  })

  it('does not fire a cancelled timer, even if a timer due at the same instant cancels it', async () => {
    const clock = virtualClock()
    const fired: string[] = []
    const stops: (() => void)[] = []
    clock.after(5, () => {
      fired.push('first')
      for (const stop of stops) stop()
    })
    stops.push(clock.after(5, () => fired.push('second')))
    await clock.advance(10)
    expect(fired).toEqual(['first'])
    expect(clock.pending).toBe(0)
  })

  it('stands still by itself, except for a delay of zero', async () => {
    const clock = virtualClock(7)
    let fired = 0
    clock.after(1, () => {
      throw new Error('time has not moved')
    })
    await new Promise<void>((resolve) => {
      clock.after(0, () => {
        fired += 1
        resolve()
      })
    })
    expect([fired, clock.now(), clock.pending]).toEqual([1, 7, 1])
  })

  it('fires a timer that another one sets within the time passed', async () => {
    const clock = virtualClock(0)
    const fired: number[] = []
    const tick = () => {
      fired.push(clock.now())
      clock.after(10, tick)
    }
    clock.after(10, tick)
    await clock.advance(35)
    expect(fired).toEqual([10, 20, 30])
    expect(clock.now()).toBe(35)
  })

  it('rejects with what a timer throws', async () => {
    const clock = virtualClock()
    clock.after(1, () => {
      throw new Error('broken')
    })
    await expect(clock.advance(1)).rejects.toThrow('broken')
  })
})
