/** `notify test`: sends a test notification to each receiver of the configuration, and says what came back. */
import { randomUUID } from 'node:crypto'
import type { Command } from 'commander'
import { instant, steadyTime, systemClock } from '../../clock.ts'
import { InvalidInputError } from '../../events/errors/usage.ts'
import { duration } from '../../events/figures.ts'
import { type Notification, receiverId } from '../../events/options/notify.ts'
import { deliverer, receiverName } from '../../notifications/receivers.ts'
import { type GlobalOptions, withGlobals } from '../global-options.ts'
import { listenForInterruption } from '../interruption.ts'
import { terminal } from '../terminal/output.ts'
import { inert } from '../terminal/text.ts'

export function notifyCommands(command: Command): void {
  command
    .command('test')
    .description('send a test notification to each receiver; exits with 1 if one did not get it')
    .action(withGlobals(test))
}

const NONE = 'Add some under notify: in the configuration file (docs/notifications.md).'

/** One after another: what a command or a bell does on this terminal is seen beside its line. */
async function test(globals: GlobalOptions): Promise<void> {
  const screen = terminal(globals)
  const { notify = [] } = globals.config
  if (notify.length === 0) {
    const problem = 'the configuration names no receiver of notifications'
    throw new InvalidInputError({ what: 'notify test', problem, hint: NONE })
  }
  const deliver = deliverer()
  const { signal, stop } = listenForInterruption()
  try {
    for (const receiver of notify) {
      if (signal.aborted) break
      const since = steadyTime(systemClock)
      const { outcome, said } = await deliver(receiver, testNotification(), signal)
      const durationMs = Math.round(steadyTime(systemClock) - since)
      const delivered = outcome === 'delivered'
      if (!delivered && !signal.aborted) process.exitCode = 1
      const [id, name] = [receiverId(receiver), receiverName(receiver)]
      if (screen.json) screen.value({ receiver: id, name, delivered, said, durationMs })
      else {
        const mark = screen.style(delivered ? 'green' : 'red', delivered ? '✓' : '✗')
        screen.line(`${mark} ${id} (${inert(name)}): ${inert(said)}, ${duration(durationMs)}`)
      }
    }
  } finally {
    stop()
  }
}

const testNotification = (): Notification => ({
  id: `test:${randomUUID()}`,
  type: 'test',
  at: instant(systemClock.now()),
  reason: 'test',
  message: 'This is a test of notifications',
  hint: 'claude-agents notify test',
})
