/** `tail`: the latest facts, then new ones as they are written, whichever process writes them. */
import type { Command } from 'commander'
import type { Recorded } from '../../events/envelope.ts'
import { defined } from '../../events/json.ts'
import type { EventStore } from '../../store/event-store.ts'
import { listedNames, since, zeroOrMore } from '../arguments.ts'
import { hasStore, noteNoStore, placeOfLog } from '../existing-store.ts'
import { type GlobalOptions, withGlobals } from '../global-options.ts'
import { listenForInterruption, untilEnough } from '../interruption.ts'
import { type FactFilter, factFilter, typeMeant } from '../log/fact-filter.ts'
import { factLine } from '../log/fact-line.ts'
import { type Terminal, terminal } from '../terminal/output.ts'
import { inert } from '../terminal/text.ts'

export function tailCommand(command: Command): void {
  command
    .description('print the latest facts, then new ones as they are written, by whichever process')
    .option('--stream <name>', 'only this stream, such as agent/researcher')
    .option('--agent <id>', 'only this agent')
    .option('--type <types...>', 'only facts of these types', listedNames)
    .option('--since <when>', 'only facts since a date, or since 30m, 2h or 7d ago', since)
    .option('--after <position>', 'start after this position instead of with the latest facts', zeroOrMore)
    .option('-n, --lines <n>', 'number of facts to start with', zeroOrMore, 10)
    .option('--no-follow', 'exit after the facts written so far')
    .action(withGlobals(tail))
}

interface TailOptions extends FactFilter {
  readonly after?: number
  readonly lines: number
  readonly follow: boolean
}

async function tail(globals: GlobalOptions, options: TailOptions): Promise<void> {
  const isWanted = factFilter(options)
  if (!hasStore(globals)) return noteNoStore(globals)
  const { followLog, openLog } = await import('../../remote/live-log.ts')
  const place = placeOfLog(globals)
  const screen = terminal(globals)
  const interruption = listenForInterruption()
  const signal = untilEnough(interruption)
  const print = (recorded: Recorded) => {
    if (!isWanted(recorded)) return
    if (screen.json) screen.value(recorded)
    else screen.row(factLine(screen, recorded))
  }
  try {
    const { store } = await openLog(place)
    await noteUnknown(store, options, screen)
    const after = await printLatest(store, options, isWanted, print, signal)
    if (!options.follow) return
    const onOwner = ownerNotes(screen)
    const stream = options.stream ?? (options.agent === undefined ? undefined : `agent/${options.agent}`)
    const only = defined({ stream })
    for await (const recorded of followLog(place, { after, signal, only, onOwner })) print(recorded)
  } finally {
    interruption.stop()
  }
}

/** What has not happened yet may still happen, so it is no error. */
async function noteUnknown(store: EventStore, filter: FactFilter, screen: Terminal): Promise<void> {
  const { stream = filter.agent === undefined ? undefined : `agent/${filter.agent}` } = filter
  if (stream !== undefined && (await store.head(stream)) === 0)
    screen.note(`There is no fact of ${inert(stream)} yet (claude-agents agent list).`)
  const meant = typeMeant(filter)
  if (meant !== '') screen.note(meant.trim())
}

/** Prints what is written already, and closes the store. Returns the last position. */
async function printLatest(
  opened: EventStore & AsyncDisposable,
  { after, lines }: TailOptions,
  isWanted: (recorded: Recorded) => boolean,
  print: (recorded: Recorded) => void,
  signal: AbortSignal,
): Promise<number> {
  const { lastMatching } = await import('../../remote/live-log.ts')
  await using store = opened
  let position = after ?? (await lastMatching(store, lines, isWanted))
  for await (const recorded of store.readAll({ after: position })) {
    if (signal.aborted) break
    position = recorded.position
    print(recorded)
  }
  return position
}

function ownerNotes(screen: Terminal): (pid: number | null) => void {
  let isFirst = true
  return (pid) => {
    const text =
      pid === null
        ? 'No process has the store open; waiting for one that writes to it (Ctrl-C ends this).'
        : `Process ${pid} has the store open now.`
    if (pid === null || !isFirst) screen.note(screen.accent('dim', text))
    isFirst = false
  }
}
