/** What must hold over a whole load, in place of a round: a budget under kills, and workers that come and go. */
import type { Start } from './auditor.ts'
import type { ChaosCluster } from './cluster.ts'
import { ASKED, again } from './load.ts'

/** Hands in so many tasks, in turns to all agents. */
function handIn({ team }: ChaosCluster, name: string, count: number) {
  const tasks = Array.from({ length: count }, (_, index) => ({
    id: ASKED[index % ASKED.length] ?? '',
    taskId: `${name}-${index}`,
  }))
  const answered = Promise.all(
    tasks.map(async ({ id, taskId }) => {
      await again(async () => (await team.agent(id)).accept('x', { taskId }))
      return again(async () => (await team.agent(id)).reply(taskId))
    }),
  )
  answered.catch(() => {})
  return { tasks, acknowledged: tasks.map(({ id, taskId }) => `agent/${id} ${taskId}`), answered }
}

/**
 * Asks all agents until one has answered in the network namespace. Which of them live in a worker depends on its address, so
 * others join there if it takes long.
 */
export async function answersAway(cluster: ChaosCluster, name: string): Promise<void> {
  await cluster.calls(0)
  for (let time = 1; ; time++) {
    const away = cluster.workers.filter(({ isAway }) => isAway)
    const { tasks, answered, acknowledged } = handIn(cluster, `${name}-${time}`, ASKED.length)
    await answered
    const { findings } = await cluster.auditor.judge(acknowledged)
    if (findings.length > 0) throw new Error(findings.join('\n'))
    const asked = new Set(tasks.map(({ taskId }) => taskId))
    const here = (await cluster.starts()).filter(({ taskId }) => asked.has(taskId))
    if (here.some(({ worker }) => away.some((one) => one.name === worker))) return
    await cluster.pause(1000)
    if (time % 20 !== 0) continue
    await cluster.join(true)
    for (const { child, exited } of away) {
      child.kill('SIGTERM')
      await exited
    }
  }
}

/**
 * A budget that is used up while workers are killed. Returns also how many calls the agent began that began the fewest.
 *
 * @param usd More than was spent before.
 * @param price Of each call, in dollars.
 */
export async function spendUnderKills(
  cluster: ChaosCluster,
  random: (below: number) => number,
  { usd, price, kills }: { readonly usd: number; readonly price: number; readonly kills: number },
) {
  const { budgets } = cluster.team
  await cluster.complete()
  await cluster.calls(2)
  const { spent: before } = await budgets.show()
  const began = (await cluster.starts()).length
  await budgets.set({ usd: before.usd + usd })
  const wanted = Math.ceil(usd / price) + 2 * ASKED.length
  const { tasks, answered, acknowledged } = handIn(cluster, `spend-${kills}`, wanted)
  const begunSince = async () => (await cluster.starts()).slice(began)
  const fewestOf = (begun: readonly Start[]) =>
    Math.min(
      ...ASKED.map((agent) => {
        const own = new Set(tasks.flatMap(({ id, taskId }) => (id === agent ? [taskId] : [])))
        return begun.filter(({ taskId }) => own.has(taskId)).length
      }),
    )
  // It is used up when no other call fits: what dead workers have reserved holds nobody up.
  const isUsedUp = async () => {
    const { remaining, reserved } = await budgets.show()
    return (remaining.usd ?? 0) < price && reserved.usd === 0
  }
  // Those whose worker is killed first come back too late for anything if there is little to spend.
  while (fewestOf(await begunSince()) === 0 && !(await isUsedUp())) await cluster.pause(100)
  const lost: Start[] = []
  for (let kill = 0; kill < kills; kill++) {
    const victim = await cluster.busy()
    await cluster.pause(random(400))
    lost.push(...(await cluster.running(victim)))
    victim.child.kill('SIGKILL')
    await victim.exited
    if (kill + 1 < kills) await cluster.complete()
  }
  while (!(await isUsedUp())) await cluster.pause(100)
  const begun = await begunSince()
  const fewest = fewestOf(begun)
  const { spent } = await budgets.show()
  await budgets.set({ usd: null })
  await answered
  return { calls: begun.length, fewest, booked: spent.usd - before.usd, lost: lost.length, acknowledged }
}

/** A worker joins and another one is drained in the midst of many tasks. Returns those that were accepted. */
export async function comeAndGo(
  cluster: ChaosCluster,
  tasks: number,
  round: number,
): Promise<readonly string[]> {
  await cluster.complete()
  await cluster.calls(0.2)
  const { answered, acknowledged } = handIn(cluster, `come-and-go-${round}`, tasks)
  const leaving = await cluster.busy()
  const joined = cluster.join(leaving.isAway)
  leaving.child.kill('SIGTERM')
  await Promise.all([joined, leaving.exited, answered])
  return acknowledged
}
