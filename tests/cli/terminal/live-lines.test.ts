/** Nothing breaks into what is on the screen: a warning goes above it, or waits. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import {
  coverScreen,
  drawLive,
  endLine,
  endLive,
  promptBelow,
  writeData,
  writeNote,
} from '../../../src/cli/terminal/live-lines.ts'

let written = ''
const wereTerminals = [process.stdout.isTTY, process.stderr.isTTY]

beforeEach(() => {
  written = ''
  for (const stream of [process.stdout, process.stderr]) {
    stream.isTTY = true
    vi.spyOn(stream, 'write').mockImplementation((text) => {
      written += String(text)
      return true
    })
  }
})
afterEach(() => {
  vi.restoreAllMocks()
  process.stdout.isTTY = wereTerminals[0] as true
  process.stderr.isTTY = wereTerminals[1] as true
})

test('a warning waits for the end of the line that is being written', () => {
  writeData('Hello, ')
  writeNote('warn a call failed\n')
  writeData('wor')
  expect(written).toBe('Hello, wor')
  writeData('ld.\n')
  expect(written).toBe('Hello, world.\nwarn a call failed\n')
  writeNote('warn again\n')
  expect(written).toBe('Hello, world.\nwarn a call failed\nwarn again\n')
})

test('an error ends an open line first, and waiting warnings come before it', () => {
  writeData('Half an ans')
  writeNote('warn one\n')
  endLine()
  writeNote('error: gone\n')
  expect(written).toBe('Half an ans\nwarn one\nerror: gone\n')
})

test('a warning waits while a display has the screen for itself', () => {
  const uncover = coverScreen()
  writeNote('warn one\n')
  expect(written).toBe('')
  uncover()
  expect(written).toBe('warn one\n')
})

test('a warning goes above lines that are redrawn', () => {
  drawLive(['| a works'])
  written = ''
  writeNote('warn one\n')
  expect(written).toBe('\u001b[1A\r\u001b[Jwarn one\n| a works\n')
  endLive()
})

test('a warning goes above the prompt at which the user types, and what was typed stays', () => {
  promptBelow({ rows: () => 1, redraw: () => process.stdout.write('a> half a question') })
  writeNote('warn one\n')
  promptBelow(null)
  expect(written).toBe('\u001b[1A\r\u001b[Jwarn one\na> half a question')
  writeNote('warn two\n')
  expect(written).toMatch(/questionwarn two\n$/)
})
