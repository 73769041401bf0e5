/** `schedule`: asks an agent or runs a workflow at set times. */
import { type Command, Option } from 'commander'
import { ScheduleNotFoundError } from '../../events/errors/run.ts'
import { InvalidInputError } from '../../events/errors/usage.ts'
import { defined } from '../../events/json.ts'
import { MISSED, type Missed } from '../../schedules/facts.ts'
import type { ScheduleInfo, ScheduleOptions } from '../../schedules/schedules.ts'
import type { WorkflowReference } from '../../workflows/pattern.ts'
import { requireAgents } from '../existing-store.ts'
import { type GlobalOptions, withGlobals } from '../global-options.ts'
import { hasWorkers, readStore, type Session, withSession, withStore } from '../session.ts'
import { standardInput } from '../standard-input.ts'
import { list } from '../terminal/list.ts'
import type { Terminal } from '../terminal/output.ts'
import { asTyped } from '../terminal/own-name.ts'
import { table } from '../terminal/table.ts'
import { inert } from '../terminal/text.ts'

export function scheduleCommands(schedule: Command): void {
  schedule
    .command('add <name> <prompt>')
    .description('ask an agent, or run a workflow with this input, at set times; - reads it from stdin')
    .requiredOption('--cron <expression>', 'when: five fields as in crontab, or a name such as @daily')
    .option('--timezone <zone>', 'zone of the times, such as Europe/Berlin (default: that of this machine)')
    .addOption(new Option('--agent <id>', 'agent to ask').conflicts('workflow'))
    .option('--workflow <name>', 'workflow of the configuration file, or a template, to run')
    .addOption(
      new Option(
        '--missed <what>',
        'times that nothing was there for: fire once for all of them (default), skip them, or fire for all',
      ).choices(MISSED),
    )
    .action(withGlobals(add))
  schedule.command('list').alias('ls').description('list schedules').action(withGlobals(listSchedules))
  changing(schedule, 'pause', 'let a schedule fire no more until it is resumed', 'Paused')
  changing(schedule, 'resume', 'let a schedule fire again, from now on', 'Resumed')
  changing(schedule, 'remove', 'remove a schedule; what it has begun continues', 'Removed').alias('rm')
  schedule
    .command('run <name>')
    .description('fire now, also if it is paused; the work is left to the owner in the background')
    .action(withGlobals(run))
}

const changing = (schedule: Command, what: 'pause' | 'resume' | 'remove', says: string, done: string) =>
  schedule
    .command(`${what} <name>`)
    .description(says)
    .action(
      withGlobals((globals: GlobalOptions, name: string) => {
        const work = async ({ orchestrator, terminal }: Session) =>
          print(terminal, await orchestrator.schedules[what](name), done)
        return withStore(globals, work, () => missing(name), 'change')
      }),
    )

const missing = (schedule: string) => new ScheduleNotFoundError({ schedule, nearest: null })

interface AddWords {
  readonly cron: string
  readonly timezone?: string
  readonly agent?: string
  readonly workflow?: string
  readonly missed?: Missed
}

async function add(globals: GlobalOptions, name: string, prompt: string, words: AddWords): Promise<void> {
  const { cron, timezone, missed, agent, workflow } = words
  if (agent === undefined && workflow === undefined)
    throw new InvalidInputError({
      what: 'The schedule',
      problem: 'neither --agent nor --workflow is given',
      hint: `As in: claude-agents schedule add ${name} --cron "30 8 * * mon-fri" --agent ID "..."`,
    })
  if (agent !== undefined) requireAgents(globals, agent)
  const reference = workflow === undefined ? undefined : await referenceTo(workflow, globals.configFile)
  const text = prompt === '-' ? await standardInput() : prompt
  const what = reference ? { workflow: { ...reference }, input: text } : { agent, prompt: text }
  return withSession(
    globals,
    async ({ orchestrator, terminal, owner }) => {
      const options: ScheduleOptions = defined({ cron, timezone, missed, ...what })
      print(terminal, await orchestrator.schedules.add(name, options), 'Added')
      if (owner === null && !(await hasWorkers(globals)))
        terminal.note('It fires while a process serves: claude-agents serve, or claude-agents serve --detach')
    },
    'change',
  )
}

/** A workflow of the configuration file, or else a template. */
async function referenceTo(name: string, configFile: string | undefined): Promise<WorkflowReference> {
  const [{ namedReference }, { TEMPLATES }] = await Promise.all([
    import('../workflow/source.ts'),
    import('../../workflows/pattern.ts'),
  ])
  return namedReference({ workflow: name }, configFile).catch((error) => {
    if (Object.hasOwn(TEMPLATES, name)) return { kind: 'template', name }
    throw error
  })
}

function listSchedules(globals: GlobalOptions): Promise<void> {
  return readStore(globals, async ({ orchestrator, terminal }) => {
    const schedules = await orchestrator.schedules.list()
    const none =
      'No schedules yet. Add one: claude-agents schedule add NAME --cron "0 8 * * *" --agent ID "..."'
    if (terminal.json) return list(terminal, schedules.map(inJson), none, () => [])
    list(terminal, schedules, none, () => rows(terminal, schedules))
  })
}

function run(globals: GlobalOptions, name: string): Promise<void> {
  const work = async ({ orchestrator, terminal, owner, leave }: Session) => {
    const fired = await orchestrator.schedules.run(name)
    if (owner === null && globals.database === undefined) leave()
    if (terminal.json) return terminal.value(fired)
    const id = 'runId' in fired ? fired.runId : fired.taskId
    terminal.line(id)
    terminal.note(`To wait for what it comes to: claude-agents wait ${id}`)
  }
  // No process in the background works on a database.
  return withStore(globals, work, () => missing(name), globals.database === undefined ? 'leave' : 'change')
}

/** The shape of `--json`. */
const inJson = ({ name, cron, timezone, nextAt, lastAt, paused }: ScheduleInfo) => ({
  ...{ name, cron, timezone, nextAt, lastAt, paused },
})

function print(terminal: Terminal, schedule: ScheduleInfo, done: string): void {
  const { name, nextAt, timezone } = schedule
  const next =
    done === 'Removed' || nextAt === null ? '' : ` It fires next at ${nextAt}${inZone(nextAt, timezone)}.`
  if (terminal.json) terminal.value(inJson(schedule))
  else terminal.line(inert(`${done} ${name}.${next}`))
}

/** The same instant on the clocks for which the schedule was written. */
function inZone(instant: string, timeZone: string): string {
  if (timeZone === 'UTC') return ''
  const parts = {
    weekday: 'short',
    day: 'numeric',
    month: 'short',
    hour: '2-digit',
    minute: '2-digit',
  } as const
  const local = new Intl.DateTimeFormat('en-GB', { ...parts, timeZone }).format(new Date(instant))
  return ` (${local} in ${timeZone})`
}

function rows(screen: Terminal, schedules: readonly ScheduleInfo[]): readonly string[] {
  const columns = [
    ...[{ head: 'SCHEDULE' }, { head: 'CRON' }, { head: 'TIME ZONE', spare: true }, { head: 'ASKS' }],
    ...[{ head: 'NEXT' }, { head: 'LAST', spare: true }],
  ]
  const cells = schedules.map(
    ({ name, cron, timezone, agent, workflow, nextAt, lastAt, paused, failure }) => [
      ...[name, inert(cron), inert(timezone), agent ?? inert(`workflow ${workflow}`)],
      ...[paused ? 'paused' : (nextAt ?? 'never'), failure === null ? (lastAt ?? '-') : 'failed'],
    ],
  )
  const failed = schedules.flatMap(({ name, failure }) =>
    failure === null ? [] : [asTyped(inert(`${name} did not fire: ${failure}`))],
  )
  return [...table(screen, columns, cells), ...failed]
}
