/** A script as a person reads it: the world first, then what happens in it, one line each. */
import type { AgentOptions } from '../../events/options/agent.ts'
import type { Action, Nesting, Script, Tree } from './script.ts'

export function scriptText(script: Script): string {
  const { seed, order, agents, budget, limits, tree, sessionPersistence, actions } = script
  const world = [
    `seed ${seed}; of several that can go on, ${ORDERS[order]}`,
    ...agents.map(agentText),
    ...(budget ? [`all agents together may spend $${budget.usd}`] : []),
    ...Object.entries(limits).map(([name, limit]) => `limit ${name}: ${limit}`),
    ...(sessionPersistence ? [] : ['every task has a fresh session']),
    ...(tree ? [treeText(tree)] : []),
  ]
  const width = String(actions.length).length
  const lines = actions.map(
    (action, index) => `${String(index + 1).padStart(width)}. ${gapText(action)}${actionText(action)}`,
  )
  return [...world, ...lines, 'then everything comes to rest, and is opened once more'].join('\n')
}

const ORDERS: Readonly<Record<Script['order'], string>> = {
  random: 'any goes on',
  first: 'the one that waits longest goes on',
  last: 'the one that came last goes on',
  'mostly first': 'mostly the one that waits longest goes on',
}

function agentText({ id, timeoutMs, retry, budget, onMessage = 'queue' }: AgentOptions): string {
  const settings = [
    timeoutMs === undefined ? undefined : `${timeoutMs} ms a task`,
    retry?.attempts === undefined ? undefined : `${retry.attempts} retries`,
    retry?.minDelayMs === undefined ? undefined : `the first after ${retry.minDelayMs} ms`,
    budget === undefined ? undefined : `at most $${budget.usd}`,
    onMessage === 'queue' ? undefined : `messages ${onMessage}`,
  ].filter((setting) => setting !== undefined)
  return `agent ${id}${settings.length > 0 ? `: ${settings.join(', ')}` : ''}`
}

function treeText({ strategy, intensity, backoffMs, children }: Tree): string {
  const listed = children.map(({ id, restart, stopsAfterMs }) => {
    const slow = stopsAfterMs === undefined ? '' : ` (stops in ${stopsAfterMs} ms)`
    return `${id} ${restart}${slow}`
  })
  const wait = backoffMs === null ? '' : `, first restart after ${backoffMs} ms`
  const { maxRestarts, withinMs } = intensity
  return `a supervisor: ${strategy}, ${maxRestarts} restarts in ${withinMs} ms${wait}: ${listed.join(', ')}`
}

const gapText = ({ gap }: Action) => (gap === 0 ? '' : `${gap} ${gap === 1 ? 'step' : 'steps'} later: `)

function actionText(action: Action): string {
  switch (action.do) {
    case 'ask': {
      const { agent, prompt, session, approval, throws } = action
      const options = [
        ...(session ? [`in a ${session} session`] : []),
        ...(approval ? ['with approval'] : []),
        ...(throws ? ['with a listener that throws'] : []),
      ]
      return [`ask ${agent} "${prompt}"`, ...options].join(', ')
    }
    case 'run':
      return `run ${action.run}: ${nestingText(action.pattern)} on "${action.input}"`
    case 'fork':
      return `fork ${action.agent} as ${action.as}`
    case 'fork run':
      return `fork run ${action.run} at step ${action.at} as ${action.as}`
    case 'configure':
      return `configure ${action.agent} with ${action.retries} retries`
    case 'set budget': {
      const whose = action.agent ?? action.run ?? 'all agents together'
      return `set the budget of ${whose} to ${action.usd === null ? 'no limit' : `$${action.usd}`}`
    }
    case 'tell':
      return `tell ${action.actor} ${action.command}${action.throws ? ', with a listener that throws' : ''}`
    case 'send':
      return `${action.from ?? 'a person'} sends message ${action.message} to ${action.to}`
    case 'subscribe':
    case 'unsubscribe':
      return `${action.subscriber} ${action.do}s: ${action.topic}`
    case 'write note':
      return `write ${action.write} into note ${action.note}, over version ${action.over}`
    case 'end child':
      return `child ${action.child} ends: ${action.reason}`
    case 'refuse starts':
      return `the next ${action.times} starts of child ${action.child} fail`
    case 'wait':
      return `wait ${action.ms} ms`
    case 'crash':
      return 'the process dies, and is opened again'
    case 'crash at append':
      return `the process will die right ${action.when} append ${action.append} from here`
    case 'fill the disk':
      return `the disk is full for ${action.ms} ms`
    case 'set the clock':
      return `the clock is set ${Math.abs(action.ms)} ms ${action.ms < 0 ? 'back' : 'ahead'}`
    case 'drain':
      return `drain within ${action.ms} ms`
    case 'approve':
    case 'reject':
      return `${action.do} held task ${action.nth + 1}`
    default: {
      const { gap: _, do: what, ...rest } = action
      return [what, ...Object.values(rest)].join(' ')
    }
  }
}

export function nestingText(nesting: Nesting): string {
  if ('agent' in nesting) return nesting.agent
  if ('pool' in nesting) return `pool(${nesting.pool}, ${nesting.size})`
  if ('workflow' in nesting) return nesting.workflow
  return `${nesting.kind}(${nesting.parts.map(nestingText).join(', ')}; ${nesting.number})`
}
