/** Scripts played on this project's supervisor, with what is seen written as Erlang writes it. */
import type {
  ChildSpecification,
  SupervisorSpecification,
} from '../../src/actors/supervision/specification.ts'
import type { Supervisor } from '../../src/actors/supervision/supervisor.ts'
import { memoryStore } from '../../src/store/memory-store.ts'
import { crew, type Member, quiet } from '../actors/crew.ts'
import { type Child, type Happening, oneByOne, type Script, type Step, type Tree } from './script.ts'

/**
 * When a back-off ends: `none`: there is none, as in Erlang. `run-out`: before anything else happens. `middle`: steps may
 * fall into it, and a child that waits counts as the running one that it will be.
 */
export type Waits = 'none' | 'run-out' | 'middle'

/** So short that all back-offs of a script together do not matter for an intensity. */
const BACKOFF = { minMs: 10, maxMs: 20, jitter: 0 }
const BACKOFF_OVER_MS = 100

type World = ReturnType<typeof crew>
type Orchestrator = Awaited<ReturnType<World['open']>>

export interface Played {
  /** The script without what had nothing to happen to. */
  readonly script: Script
  /** After the start, after each step, and after the end. */
  readonly seen: readonly string[]
}

export async function playHere(script: Script, waits: Waits): Promise<Played> {
  const ended: string[] = []
  const store = memoryStore()
  const world = crew({
    store: {
      ...store,
      append(stream, facts, options) {
        const [, id = ''] = stream.split('/')
        for (const { type, data } of facts)
          if (type === 'SupervisorStopped')
            ended.push(`${id} ${(data as { reason: string }).reason === 'killed' ? 'killed' : 'shutdown'}`)
        return store.append(stream, facts, options)
      },
    },
  })
  const orchestrator = await world.open()
  const failing = new Set(script.fails)
  for (const child of script.fails) world.failStarts(child, 1)
  const isFailing = () => [...failing].some((id) => world.fails(id))

  const see = (answers: readonly string[], tree: string) => {
    const events = world.events.splice(0).filter((event) => !/^[x!]/.test(event))
    return [answers, events, [tree], ended.splice(0).sort()].map((part) => part.join(' ')).join('; ')
  }

  let top: Supervisor
  try {
    top = await orchestrator.supervise(specification(world, script.tree, waits))
  } catch {
    return { script, seen: [`refused; ${world.events.splice(0).join(' ')}`] }
  }
  const look = async (answers: readonly string[]) => {
    await settled(world)
    if (waits === 'run-out' || (waits === 'middle' && isFailing())) await runOut(world)
    return see(answers, top.status === 'stopped' ? '' : treeOf(top, script.tree))
  }
  const seen = [await look([])]
  const steps: Step[] = []
  const left = [...script.steps]
  for (let step = left.shift(); step; step = left.shift()) {
    if (waits === 'run-out' || isFailing()) {
      const [first, ...others] = oneByOne(step)
      left.unshift(...others)
      step = first ?? step
    }
    let answers: string[] = []
    let done: Step | undefined = step
    if (step.type !== 'happen') {
      await runOut(world)
      if (step.type === 'pass') await world.clock.advance(step.seconds * 1000)
      else {
        const { child, times, supervisor, meanwhile } = step
        world.failStarts(child, times, () => {
          happen({ type: 'happen', supervisor, happenings: meanwhile }, orchestrator, world)
        })
        failing.add(child)
      }
    } else {
      // There is no saying what would happen below a supervisor that waits for its own restart.
      if (waits === 'middle' && !living(orchestrator, step.supervisor)) await runOut(world)
      const happened = happen(step, orchestrator, world)
      done = happened.step
      await settled(world)
      if (waits === 'run-out') await runOut(world)
      answers = await happened.answers
    }
    if (!done) continue
    steps.push(done)
    seen.push(await look(answers))
  }
  await runOut(world)
  await top.stop()
  seen.push(await look([]))
  await orchestrator.close()
  return { script: { ...script, steps }, seen }
}

/** All of it before the supervisor looks. What has nothing to happen to is left out. */
function happen(
  { supervisor: id, happenings }: Extract<Step, { type: 'happen' }>,
  orchestrator: Orchestrator,
  { running, start }: World,
) {
  const supervisor = living(orchestrator, id)
  const answers: Promise<string>[] = []
  const done: Happening[] = []
  for (const happening of happenings) {
    if (happening.type === 'exit') {
      const member: Member | undefined = running.get(happening.child)
      if (!member) continue
      member.exit(happening.reason)
    } else if (!supervisor) answers.push(Promise.resolve('gone'))
    else answers.push(answerTo(command(supervisor, happening, start)))
    done.push(happening)
  }
  const step: Step | undefined =
    done.length > 0 ? { type: 'happen', supervisor: id, happenings: done } : undefined
  return { step, answers: Promise.all(answers) }
}

function command(
  supervisor: Supervisor,
  happening: Exclude<Happening, { type: 'exit' }>,
  start: World['start'],
): Promise<unknown> {
  if (happening.type !== 'start') return supervisor[`${happening.type}Child`](happening.child)
  const { id, restart, significant } = happening.child
  const isDynamic = supervisor.snapshot.context.rules?.strategy === 'dynamic'
  return supervisor.startChild(isDynamic ? { id } : { id, restart, significant, start: () => start(id) })
}

const ANSWERS: Readonly<Record<string, string>> = {
  ChildNotFoundError: 'not_found',
  ChildRunningError: 'running',
  // It will run, so it counts as running.
  ChildRestartingError: 'running',
  ChildAlreadyStartedError: 'already_started',
  ChildAlreadyPresentError: 'already_present',
  ChildStartError: 'failed',
  NotForDynamicChildrenError: 'dynamic',
  SupervisorStoppedError: 'gone',
  // The end of the topmost supervisor is the end of the orchestrator.
  ClosedError: 'gone',
}

async function answerTo(asked: Promise<unknown>): Promise<string> {
  try {
    await asked
    return 'ok'
  } catch (error) {
    // See ANSWERS.
    if (/it is restarting/.test((error as Error).message)) return 'already_started'
    return ANSWERS[(error as { _tag: string })._tag] ?? String(error)
  }
}

function living(orchestrator: Orchestrator, id: string): Supervisor | undefined {
  try {
    return orchestrator.supervisor(id)
  } catch {
    return undefined
  }
}

/** Resolves when nothing happens any more without the passing of time. */
async function settled({ events, store }: World): Promise<void> {
  for (let before = -1; ; ) {
    await quiet()
    let now = events.length
    for await (const { version } of store.streams({ prefix: 'supervisor/' })) now += version
    if (now === before) return
    before = now
  }
}

async function runOut(world: World): Promise<void> {
  await settled(world)
  while (world.clock.pending > 0) {
    await world.clock.advance(BACKOFF_OVER_MS)
    await settled(world)
  }
}

function treeOf(supervisor: Supervisor, { strategy, children }: Tree): string {
  const texts = supervisor.children().map(({ id, status, type, ref }) => {
    if (status === 'stopped') return `${id}-`
    const under = children.find((child) => child.id === id)?.under
    if (type !== 'supervisor' || !under) return `${id}+`
    return `${id}+(${status === 'running' ? treeOf(ref as Supervisor, under) : newTree(under)})`
  })
  return (strategy === 'dynamic' ? texts.sort() : texts).join(' ')
}

/** A tree as it is after its start, which is how one that waits for its restart will be. */
const newTree = ({ strategy, children }: Tree): string =>
  strategy === 'dynamic'
    ? ''
    : children.map(({ id, under }) => (under ? `${id}+(${newTree(under)})` : `${id}+`)).join(' ')

function specification({ child, start }: World, tree: Tree, waits: Waits): SupervisorSpecification {
  const { id, strategy, maxRestarts, withinSeconds, autoShutdown, children } = tree
  const rules = {
    id,
    strategy,
    intensity: { maxRestarts, withinMs: withinSeconds * 1000 },
    autoShutdown,
    ...(waits === 'none' ? {} : { backoff: BACKOFF }),
  }
  if (strategy === 'dynamic') {
    const { restart, significant } = children[0] as Child
    return { ...rules, child: { restart, significant, start: ({ id: name }) => start(name) } }
  }
  const own = ({ restart, significant }: Child) => ({ restart, significant })
  return {
    ...rules,
    children: children.map((one): ChildSpecification => {
      if (!one.under) return child(one.id, own(one))
      const { id: _, ...supervisor } = specification({ child, start } as World, one.under, waits)
      return { id: one.id, ...own(one), supervisor }
    }),
  }
}
