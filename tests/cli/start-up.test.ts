/** What a short command loads: most of the time that it takes is spent on that. */
import { readdirSync, readFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { describe, expect, test } from 'vitest'
import { commandLine, MAIN } from './command.ts'

/** At the end of a process, tells on stderr what it has loaded of undici. */
const TELLS_WEB_SOCKET = `data:text/javascript,${encodeURIComponent(`process.on('exit', () => {
  const loaded = process.moduleLoadList.filter((name) => name.includes('undici'))
  if (loaded.length > 0) process.stderr.write(loaded.join())
})`)}`

/** The modules in the files of the bundle that a command loads, and how many files these are. */
async function loaded(...words: string[]) {
  const { folder, start, run } = await commandLine({ NODE_V8_COVERAGE: 'coverage' })
  await mkdir(join(folder, 'coverage'))
  await run(['agent', 'create', 'a', 'You help.'])
  const command = start(...words)
  expect((await command).exitCode).toBe(0)
  const reports = readdirSync(join(folder, 'coverage')).filter((name) => name.includes(`-${command.pid}-`))
  const urls = reports.flatMap((name) =>
    JSON.parse(readFileSync(join(folder, 'coverage', name), 'utf8')).result.map(
      ({ url }: { url: string }) => url,
    ),
  )
  const files = urls
    .filter((url) => url.startsWith('file:'))
    .map((url) => fileURLToPath(url))
    .filter((path) => path.startsWith(join(MAIN, '..')))
  const modules = files.flatMap((path) =>
    [...readFileSync(path, 'utf8').matchAll(/^\/\/ (\S+\.m?js)$/gm)].map(([, name]) => name ?? ''),
  )
  return { files, modules }
}

describe('A short command loads only what it needs:', () => {
  test.each([['--help'], ['--version']])('%s is the program alone', async (word) => {
    const { files, modules } = await loaded(word)
    expect(modules).toContain('cli/program.js')
    expect(modules.filter((name) => /^(store|config|remote|actors)\/|failure|terminal/.test(name))).toEqual(
      [],
    )
    expect(files.length).toBeLessThanOrEqual(5)
  })

  test('agent list reads the log without an orchestrator, a machine or a parser of YAML', async () => {
    const { files, modules } = await loaded('agent', 'list')
    expect(modules).toContain('store/care/view.js')
    const needless =
      /^orchestrator\.js|^claude\/claude-cli|level\/writer|node_modules\/(xstate|yaml|execa|@modelcontextprotocol)\//
    expect(modules.filter((name) => needless.test(name))).toEqual([])
    expect(files.length).toBeLessThanOrEqual(10)
  })

  test('the command and the library load no WebSocket, which takes longer than an empty Node', async () => {
    const { run, environment, folder } = await commandLine()
    await run(['agent', 'create', 'a', 'You help.'])
    const library = ['index', 'entry-points/testing'].map((name) => join(MAIN, `../../${name}.js`))
    for (const file of [MAIN, ...library]) {
      const words = ['--import', TELLS_WEB_SOCKET, file, ...(file === MAIN ? ['agent', 'list'] : [])]
      const { exitCode, stderr } = await execa(process.execPath, words, { cwd: folder, env: environment })
      expect({ file, exitCode, stderr }).toEqual({ file, exitCode: 0, stderr: '' })
    }
  })
})
