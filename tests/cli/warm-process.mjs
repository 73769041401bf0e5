/** Runs commands of the built `claude-agents` one after another in this process, each with its own words, folder, environment
 * and stdin: a tenth of what a process for each costs. A command ends when nothing of its own keeps the process alive. */

import { Readable, Writable } from 'node:stream'
import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const MAIN = new URL('../../dist/cli/main.js', import.meta.url)
let commands = 0

process.on('message', async (request) => process.send(await run(request)))
process.on('disconnect', () => process.exit())

async function run({ words, folder, environment, input }) {
  const resources = process.getActiveResourcesInfo().length
  const [stdout, stderr] = [collected(), collected()]
  const stdin = Readable.from(input === '' ? [] : [Buffer.from(input)], { objectMode: false })
  for (const [name, value] of Object.entries({ stdin, stdout: stdout.stream, stderr: stderr.stream }))
    Object.defineProperty(process, name, { value, configurable: true })
  // Changed in place, because native code sees no other object.
  for (const name of Object.keys(process.env)) delete process.env[name]
  Object.assign(process.env, environment)
  process.chdir(folder)
  process.argv = [process.execPath, fileURLToPath(MAIN), ...words]
  process.exitCode = undefined
  // Only the entry point is loaded again.
  await import(`${MAIN}?${++commands}`)
  while (process.getActiveResourcesInfo().length > resources) await setTimeout(2)
  const { exitCode = 0 } = process
  process.exitCode = undefined
  return { exitCode, stdout: stdout.text(), stderr: stderr.text() }
}

function collected() {
  const pieces = []
  const stream = new Writable({
    write(piece, _, done) {
      pieces.push(piece)
      done()
    },
  })
  return {
    stream,
    text: () =>
      Buffer.concat(pieces)
        .toString()
        .replace(/\r?\n$/, ''),
  }
}
