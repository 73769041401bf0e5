/** Makes what a script says happen: each happening asks something of the process, or does something to it. */
import type { AgentRef } from '../../actors/agent/ref.ts'
import type { ChildSpecification, SupervisorSpecification } from '../../actors/supervision/specification.ts'
import type { ClaudeAgentError } from '../../events/errors/base.ts'
import type { InboxEntry } from '../../inbox/entry.ts'
// Otherwise it is loaded when it is first needed, and the disk decides when that is.
import '../../inbox/inbox.ts'
import '../../messages/messages.ts'
import '../../notes/notes.ts'
import type { Orchestrator } from '../../orchestrator.ts'
import { patternIn } from './nestings.ts'
import type { Happening, Tree } from './script.ts'
import type { World } from './world.ts'

/** What a listener of the script throws. The process that runs the simulation hears of it, as of any error of its own. */
export class ListenerFault extends Error {}

type Of<Name extends Happening['do']> = Extract<Happening, { do: Name }>
type Performers = {
  readonly [Name in Happening['do']]: (world: World, happening: Of<Name>) => void | Promise<void>
}

export async function perform(world: World, happening: Happening): Promise<void> {
  const performer = performers[happening.do] as (world: World, happening: Happening) => void | Promise<void>
  await performer(world, happening)
}

const performers: Performers = {
  ask(world, { agent, task, prompt, session, approval, throws }) {
    const what = `ask ${agent} "${prompt}"`
    askOf(world, what, agent, task, (found) =>
      found.ask(prompt, {
        taskId: task,
        ...(session === undefined ? {} : { session }),
        ...(approval === undefined ? {} : { approval }),
        ...(throws === undefined ? {} : { onHeld: fail, onReleased: fail }),
      }),
    )
  },
  'wait for reply'(world, { agent, task }) {
    askOf(world, `wait for the reply to ${task} of ${agent}`, agent, task, (found) => found.reply(task))
  },
  cancel(world, { agent, task }) {
    ofAgent(world, `cancel ${task} of ${agent}`, agent, (found) => found.cancel(task, 'as the script has it'))
  },
  reset: (world, { agent }) => ofAgent(world, `reset ${agent}`, agent, (found) => found.reset()),
  stop: (world, { agent }) => ofAgent(world, `stop ${agent}`, agent, (found) => found.stop()),
  remove(world, { agent }) {
    command(
      world,
      `remove ${agent}`,
      (orchestrator) => orchestrator.removeAgent(agent, { force: true }),
      waitsForTree(world),
    )
  },
  create(world, { agent }) {
    const options = world.script.agents.find(({ id }) => id === agent)
    if (options) command(world, `create ${agent}`, (orchestrator) => orchestrator.createAgent(options))
  },
  configure(world, { agent, retries }) {
    const options = world.script.agents.find(({ id }) => id === agent)
    if (!options) return
    const changed = { ...options, retry: { ...options.retry, attempts: retries } }
    command(world, `configure ${agent}`, (orchestrator) => orchestrator.declareAgent(changed))
  },
  fork(world, { agent, as }) {
    command(world, `fork ${agent}`, async (orchestrator) => {
      const { version } = await orchestrator.agent(agent)
      await orchestrator.fork(agent, { at: version, as })
    })
  },
  'set budget'(world, { agent, run, usd }) {
    const scope = agent === undefined ? (run === undefined ? {} : { run }) : { agent }
    command(world, 'set a budget', (orchestrator) => orchestrator.budgets.set({ usd }, scope))
  },
  approve: (world, { nth }) => ofHeld(world, 'approve', nth, sayYes),
  reject: (world, { nth }) =>
    ofHeld(world, 'reject', nth, ({ inbox }, { id }) => inbox.deny(id, { reason: 'as the script has it' })),
  run(world, { run, pattern, input }) {
    world.runs.set(run, { pattern, input })
    command(
      world,
      `run ${run}`,
      async (orchestrator) =>
        orchestrator.run(patternIn(pattern, world.subject.workflows), input, { id: run }),
      waitsForTree(world),
    )
  },
  'pause run'(world, { run }) {
    const { life } = world
    command(
      world,
      `pause ${run}`,
      async (orchestrator) => {
        const known = world.runs.get(run)
        if (!known || life.isClosed) return
        const stop = new AbortController()
        const paused = orchestrator.run(patternIn(known.pattern, world.subject.workflows), known.input, {
          id: run,
          signal: stop.signal,
        })
        void paused.then(undefined, () => {})
        await paused.pause('as the script has it')
      },
      waitsForTree(world),
    )
  },
  'cancel run'(world, { run }) {
    command(world, `cancel ${run}`, (orchestrator) => orchestrator.runs.cancel(run), waitsForTree(world))
  },
  'resume run'(world, { run }) {
    const known = world.runs.get(run)
    if (!known) return
    command(
      world,
      `resume ${run}`,
      async (orchestrator) =>
        orchestrator.runs.resume(run, patternIn(known.pattern, world.subject.workflows)),
      waitsForTree(world),
    )
  },
  'plan run'(world, { run }) {
    const known = world.runs.get(run)
    if (!known) return
    command(world, `plan ${run}`, (orchestrator) =>
      orchestrator.runs.plan(run, patternIn(known.pattern, world.subject.workflows)),
    )
  },
  'fork run'(world, { run, at, as }) {
    const known = world.runs.get(run)
    command(world, `fork ${run}`, async (orchestrator) => {
      await orchestrator.runs.fork(run, { at, as })
      if (known) world.runs.set(as, known)
    })
  },
  tell(world, { actor, command: number, throws }) {
    const simulated = world.subject.actors[actor]
    if (!simulated) return
    const told = { actor, isAcknowledged: null as boolean | null }
    world.told.set(number, told)
    const { refs } = world.life
    command(world, `tell ${actor} ${number}`, async (orchestrator) => {
      const ref = await orchestrator.spawn(simulated.kind, actor)
      refs.set(actor, ref)
      if (throws) ref.subscribe(fail)
      try {
        await ref.ask(simulated.command(number))
        told.isAcknowledged = true
      } catch (error) {
        told.isAcknowledged = false
        throw error
      }
    })
  },
  send(world, { from, to, message }) {
    const id = `m${message}`
    const sent = world.sent.get(id) ?? { to: addressOf(world, to), isAcknowledged: false }
    world.sent.set(id, sent)
    command(world, `send ${id} to ${to}`, async (orchestrator) => {
      const text = `message ${message}`
      const sender = from === null ? {} : { from }
      await orchestrator.messages.send({ ...sender, to: sent.to, text, messageId: id })
      sent.isAcknowledged = true
    })
  },
  subscribe(world, { subscriber, topic }) {
    command(world, `subscribe ${subscriber}`, (orchestrator) =>
      orchestrator.messages.subscribe(topic, addressOf(world, subscriber)),
    )
  },
  unsubscribe(world, { subscriber, topic }) {
    command(world, `unsubscribe ${subscriber}`, (orchestrator) =>
      orchestrator.messages.unsubscribe(topic, addressOf(world, subscriber)),
    )
  },
  'write note'(world, { note, write, over }) {
    command(world, `write ${write} into ${note}`, async (orchestrator) => {
      const { version } = await orchestrator.notes.write(note, `write ${write}`, { expectedVersion: over })
      world.written.push({ note, write, version })
    })
  },
  'stop actor'(world, { actor }) {
    const ref = world.life.refs.get(actor)
    if (ref) command(world, `stop ${actor}`, () => ref.stop())
  },
  'kill actor'(world, { actor }) {
    const ref = world.life.refs.get(actor)
    if (ref) command(world, `kill ${actor}`, () => ref.kill())
  },
  supervise(world) {
    const { tree } = world.script
    if (!tree) return
    const { life } = world
    life.hasTree = true
    command(world, 'supervise', (orchestrator) => orchestrator.supervise(specificationOf(world, tree)))
  },
  'stop supervisor'(world) {
    command(world, 'stop the supervisor', (orchestrator) => orchestrator.supervisor(TOP).stop())
  },
  'end child': (world, { child, reason }) => world.life.members.exit(child, reason),
  'terminate child'(world, { child }) {
    command(world, `terminate ${child}`, async (orchestrator) =>
      orchestrator.supervisor(TOP).terminateChild(child),
    )
  },
  'restart child'(world, { child }) {
    command(world, `restart ${child}`, async (orchestrator) =>
      orchestrator.supervisor(TOP).restartChild(child),
    )
  },
  'delete child'(world, { child }) {
    command(world, `delete ${child}`, async (orchestrator) => orchestrator.supervisor(TOP).deleteChild(child))
  },
  'start child'(world, { child }) {
    command(world, `start ${child}`, async (orchestrator) =>
      orchestrator.supervisor(TOP).startChild(childOf(world, { id: child, restart: 'transient' })),
    )
  },
  'refuse starts': (world, { child, times }) => world.life.members.refuse(child, times),
  wait: (world, { ms }) => world.wait(ms),
  crash: (world) => world.reopen(),
  'crash at append': (world, { append, when }) => world.life.store.dieAt({ append, when }),
  'fill the disk': (world, { ms }) => world.fillDisk(ms),
  'set the clock'(world, { ms }) {
    const { time } = world.life.schedule
    time.set(time.now() + ms)
  },
  drain(world, { ms }) {
    command(world, 'drain', (orchestrator) => orchestrator.drain({ withinMs: ms }))
  },
  close: (world) => void world.life.close(),
}

/** Where messages reach an agent, an actor or a topic of the script. */
function addressOf({ subject }: World, name: string): string {
  const actor = Object.hasOwn(subject.actors, name) ? subject.actors[name] : undefined
  return actor ? `${actor.kind.kind}/${name}` : name
}

const TOP = 'top'

function fail(): never {
  throw new ListenerFault('a listener of the script throws')
}

/** A task of an agent that its supervisor does not run waits for the next life. */
const waitsForTree = ({ life }: World) => {
  return () => life.hasTree
}

function command(
  world: World,
  what: string,
  work: (orchestrator: Orchestrator) => Promise<unknown>,
  mayWait?: () => boolean,
): void {
  world.life.ask(what, work, mayWait).catch(() => {})
}

function ofAgent(
  world: World,
  what: string,
  agent: string,
  work: (agent: AgentRef) => Promise<unknown>,
): void {
  command(world, what, async (orchestrator) => work(await orchestrator.agent(agent)))
}

/** Asks for a reply, and remembers what was received. */
function askOf(
  world: World,
  what: string,
  agent: string,
  task: string,
  work: (agent: AgentRef) => PromiseLike<{ readonly text: string }>,
): void {
  const mayWait = waitsForTree(world)
  const asked = world.life.ask(what, async (orchestrator) => work(await orchestrator.agent(agent)), mayWait)
  asked.then(
    ({ text }) => world.received.push({ agent, task, text, tag: null }),
    (error: ClaudeAgentError) => world.received.push({ agent, task, text: null, tag: error._tag }),
  )
}

function ofHeld(
  world: World,
  what: string,
  nth: number,
  work: (orchestrator: Orchestrator, entry: InboxEntry) => Promise<unknown>,
): void {
  command(world, `${what} a held task`, async (orchestrator) => {
    const held = (await orchestrator.inbox.list()).filter(isDecidable)
    const chosen = held[nth % Math.max(1, held.length)]
    if (chosen) await work(orchestrator, chosen)
  })
}

/** What a person decides with a yes or a no. */
export const isDecidable = ({ kind }: InboxEntry): boolean => /^(task|tool|question)$/.test(kind)

/** Some tools are called with another input. */
export function sayYes({ inbox }: Orchestrator, { id, kind, input }: InboxEntry): Promise<InboxEntry> {
  if (kind === 'question') return inbox.answer(id, 'this one')
  const { command = '' } = (input ?? {}) as { readonly command?: string }
  return inbox.approve(id, command.endsWith('6') ? { input: { command: 'make less' } } : {})
}

function specificationOf(
  world: World,
  { strategy, intensity, backoffMs, children }: Tree,
): SupervisorSpecification {
  return {
    id: TOP,
    strategy,
    intensity,
    ...(backoffMs === null ? {} : { backoff: { minMs: backoffMs, maxMs: backoffMs * 8 } }),
    children: children.map((child) => childOf(world, child)),
  }
}

function childOf(
  world: World,
  { agent, id, restart, stopsAfterMs = 0 }: Tree['children'][number],
): ChildSpecification {
  const { members } = world.life
  if (agent !== undefined) return { agent, id, restart }
  return { id, restart, start: ({ id: name }) => members.start(name, stopsAfterMs) }
}
