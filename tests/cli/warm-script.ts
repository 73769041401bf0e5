/** `claude-agents` for the shells of a test: a script that has its words run by a warm process, and ends as the command did. */
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { runWarm } from './warm-commands.ts'

const SCRIPT = (port: number) => `#!/bin/bash
exec 3<>/dev/tcp/127.0.0.1/${port}
{ printf '%s\\0' "$PWD" "$#" "$@"; env -0; printf '\\0'; } >&3
IFS=: read -r code stdout stderr <&3
base64 --decode <<<"$stdout"
base64 --decode <<<"$stderr" >&2
exit "$code"
`

/** Writes the script. It works until it is disposed of. What is piped into it is not read. */
export async function warmScript(path: string): Promise<AsyncDisposable> {
  const server = createServer((socket) => void serve(socket).catch(() => socket.destroy()))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  await writeFile(path, SCRIPT((server.address() as AddressInfo).port), { mode: 0o755 })
  return { [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())) }
}

async function serve(socket: Socket): Promise<void> {
  let said = ''
  for await (const piece of socket.setEncoding('utf8').iterator({ destroyOnReturn: false })) {
    said += piece
    if (said.endsWith('\0\0')) break
  }
  const [folder = '', count, ...rest] = said.slice(0, -2).split('\0')
  const words = rest.splice(0, Number(count))
  const environment = Object.fromEntries(rest.map((each) => each.split(/=(.*)/s)))
  const { exitCode, stdout, stderr } = await runWarm({ words, folder, environment, input: '' })
  const encoded = [stdout, stderr].map((text) =>
    Buffer.from(text === '' ? '' : `${text}\n`).toString('base64'),
  )
  socket.end(`${exitCode}:${encoded.join(':')}\n`)
}
