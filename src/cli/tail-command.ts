/** `tail`: the last facts and then those that are written, whichever process writes them. */
import { resolve } from 'node:path'
import type { Recorded } from '../events/envelope.ts'
import { noteNoStore } from './agent-commands.ts'
import { type GlobalOptions, hasStore } from './global-options.ts'
import { listenForInterruption } from './interruption.ts'
import { logLine } from './log-commands.ts'
import { type Terminal, terminal } from './terminal.ts'

export interface TailOptions {
  readonly stream?: string
  readonly agent?: string
  readonly type?: readonly string[]
  readonly after?: number
  readonly lines: number
  readonly follow: boolean
}

export async function tail(globals: GlobalOptions, options: TailOptions): Promise<void> {
  const isWanted = await filterOf(options)
  if (!hasStore(globals)) return noteNoStore(globals)
  const { followLog, openLog } = await import('../remote/live-log.ts')
  const baseDir = resolve(globals.baseDir)
  const screen = terminal(globals)
  const interruption = listenForInterruption()
  // A reader that has seen enough (`| head`) is no reason to wait for more.
  const enough = new AbortController()
  process.stdout.once('error', () => enough.abort())
  const signal = AbortSignal.any([interruption.signal, enough.signal])
  const print = (recorded: Recorded) => {
    if (!isWanted(recorded)) return
    if (screen.json) screen.value(recorded)
    else screen.line(logLine(screen, recorded))
  }
  try {
    const after = await printFirst(await openLog(baseDir), options, isWanted, print, signal)
    if (!options.follow) return
    const onOwner = ownerNotes(screen)
    for await (const recorded of followLog(baseDir, { after, signal, onOwner })) print(recorded)
  } finally {
    interruption.stop()
  }
}

type Opened = Awaited<ReturnType<typeof import('../remote/live-log.ts').openLog>>

/** What has been written already. Returns up to where. */
async function printFirst(
  { store }: Opened,
  { after, lines }: TailOptions,
  isWanted: (recorded: Recorded) => boolean,
  print: (recorded: Recorded) => void,
  signal: AbortSignal,
): Promise<number> {
  const { lastMatching } = await import('../remote/live-log.ts')
  await using _ = store
  let position = after ?? (await lastMatching(store, lines, isWanted))
  for await (const recorded of store.readAll({ after: position })) {
    if (signal.aborted) break
    position = recorded.position
    print(recorded)
  }
  return position
}

/** The words of the command line, checked: a name that no stream can have is no filter. */
async function filterOf({ stream, agent, type }: TailOptions): Promise<(recorded: Recorded) => boolean> {
  const { checkStreamName } = await import('../events/ids.ts')
  const streams = [
    ...(stream === undefined ? [] : [checkStreamName(stream)]),
    ...(agent === undefined ? [] : [checkStreamName(`agent/${agent}`)]),
  ]
  const types = new Set(type)
  return (recorded) =>
    streams.every((name) => name === recorded.stream) && (types.size === 0 || types.has(recorded.type))
}

function ownerNotes(screen: Terminal): (pid: number | null) => void {
  let isFirst = true
  return (pid) => {
    const text =
      pid === null
        ? 'No process has the store open; what the next one writes is shown here (Ctrl-C ends this).'
        : `Process ${pid} has the store open now.`
    if (pid === null || !isFirst) screen.note(screen.accent('dim', text))
    isFirst = false
  }
}
