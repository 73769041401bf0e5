/** Workers in the text format of Prometheus, each with its name as a label. */

interface Sampled {
  readonly worker: string
  readonly release: string
  readonly agents: number
  readonly draining: boolean
  /** Of the worker that is asked itself. */
  readonly cutOff?: boolean
  readonly unheardMs?: number
}

type Family = readonly [name: string, help: string, value: (worker: Sampled) => number | undefined]

const FAMILIES: readonly Family[] = [
  ['claude_agents_worker_agents', 'Agents that live in a worker.', ({ agents }) => agents],
  ['claude_agents_worker_draining', 'Whether a worker hands its agents over.', ({ draining }) => +draining],
  [
    'claude_agents_worker_cut_off',
    'Whether a worker has not heard of the database for so long that others may have its agents.',
    ({ cutOff }) => (cutOff === undefined ? undefined : +cutOff),
  ],
  [
    'claude_agents_worker_database_unheard_seconds',
    'For how long the database has not answered a worker.',
    ({ unheardMs }) => (unheardMs === undefined ? undefined : unheardMs / 1000),
  ],
]

/** Empty for none. */
export const workerMetrics = (workers: readonly Sampled[]): string =>
  FAMILIES.map(([name, help, value]) => {
    const samples = workers.flatMap((one) => {
      const found = value(one)
      const labels = `worker=${JSON.stringify(one.worker)},release=${JSON.stringify(one.release)}`
      return found === undefined ? [] : [`${name}{${labels}} ${found}\n`]
    })
    return samples.length === 0 ? '' : `# HELP ${name} ${help}\n# TYPE ${name} gauge\n${samples.join('')}`
  }).join('')
