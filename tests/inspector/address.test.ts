/** The address of the inspector of a base directory. */
import { mkdir, readdir, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { type AddressOptions, inspectorAt } from '../../src/inspector/address.ts'
import { memoryStore } from '../../src/store/memory-store.ts'
import { temporaryDirectory } from '../store/temporary.ts'

let state = ''
beforeEach(async () => {
  state = await temporaryDirectory()
  vi.stubEnv('XDG_STATE_HOME', state)
})

/** Serves it, and stops. */
async function address(baseDir: string, options: AddressOptions = {}): Promise<string> {
  await mkdir(baseDir, { recursive: true })
  await using serving = await inspectorAt({ store: memoryStore(), baseDir }, options)
  return serving.url
}

test('is the same each time, and another one for another directory', async () => {
  const [one, other] = [join(state, 'one'), join(state, 'other')]
  const url = await address(one)
  expect(await address(one)).toBe(url)
  expect(await address(one, { readOnly: true })).toBe(url)
  expect(new URL(await address(other)).search).not.toBe(new URL(url).search)
  expect(await address(one)).toBe(url)
})

test('is kept where only the user can read it', async () => {
  await address(join(state, 'one'))
  const folder = join(state, 'claude-agents', 'inspector')
  const [file = ''] = await readdir(folder)
  expect((await stat(folder)).mode & 0o777).toBe(0o700)
  expect((await stat(join(folder, file))).mode & 0o777).toBe(0o600)
})

test('has a new key when that is asked for, and after what was kept was damaged', async () => {
  const one = join(state, 'one')
  const first = new URL(await address(one))
  const renewed = new URL(await address(one, { newKey: true }))
  expect(renewed.port).toBe(first.port)
  expect(renewed.search).not.toBe(first.search)
  expect(await address(one)).toBe(renewed.href)
  const folder = join(state, 'claude-agents', 'inspector')
  const [file = ''] = await readdir(folder)
  for (const text of ['', '{}', '{"port":80,"token":"x"}', 'null', '{"port":"80"}']) {
    await writeFile(join(folder, file), text)
    expect(await address(one)).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/\?token=[\w-]{43}$/)
  }
})

test('has another port while its own is taken, and the same key', async () => {
  const one = join(state, 'one')
  const usual = new URL(await address(one))
  const taking = createServer().listen(Number(usual.port), '127.0.0.1')
  onTestFinished(() => void taking.close())
  await new Promise((resolve) => taking.once('listening', resolve))
  const meanwhile = new URL(await address(one))
  expect(meanwhile.port).not.toBe(usual.port)
  expect(meanwhile.search).toBe(usual.search)
  await expect(address(one, { port: Number(usual.port) })).rejects.toMatchObject({
    _tag: 'PortUnavailableError',
  })
  await new Promise((resolve) => taking.close(resolve))
  expect(await address(one)).toBe(usual.href)
})
