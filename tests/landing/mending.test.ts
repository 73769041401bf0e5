/** What an agent is asked to fix, what that costs, and what the user is told meanwhile. With real git. */
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { filter, firstValueFrom } from 'rxjs'
import { expect, onTestFinished, test } from 'vitest'
import { OverloadedError } from '../../src/events/errors/call.ts'
import { fleet } from '../../src/patterns/fleet.ts'
import { virtualClock } from '../../src/testing/virtual-clock.ts'
import { repository, write } from './kit.ts'

const isFixing = (prompt: string) => prompt.includes('could not be landed')

test('an agent fixes its work once the service is no longer overloaded, and holds up no other meanwhile', async () => {
  let failures = 0
  const { repo, open, at } = await repository(async (workspace, prompt) => {
    if (!isFixing(prompt)) return write(workspace, prompt)
    failures += 1
    if (failures < 6) throw new OverloadedError()
    return rm(join(workspace, 'b.txt'))
  })
  const clock = virtualClock()
  let isOver = false
  const passing = (async () => {
    for (; !isOver; await new Promise((resolve) => setTimeout(resolve, 1))) await clock.advance(50)
  })()
  onTestFinished(async () => {
    isOver = true
    await passing
  })
  const { orchestrator, landed, agent } = await open({ clock })
  const options = { systemPrompt: 'x', retry: { attempts: 1 }, workspace: { repo } }
  const dev = await orchestrator.createAgent({ id: 'dev', ...options })
  await dev.ask('b.txt=two d.txt=four')
  await agent('other', 'c.txt=three')
  const { landings } = orchestrator
  const [first] = await landings.land(['dev'], { gate: 'test ! -e b.txt' })
  expect(await landed('other')).toMatchObject([{ status: 'landed' }])
  expect(await landings.settled(first?.entry ?? '')).toMatchObject({ status: 'landed' })
  expect([failures, at('d.txt')]).toEqual([6, 'four'])
})

test('what a gate has printed is told: its end in the reason, and all of it in a file', async () => {
  const { open } = await repository(async (workspace, prompt) => {
    if (!isFixing(prompt)) await write(workspace, prompt)
  })
  const { orchestrator, agent } = await open()
  await agent('dev', 'b.txt=two')
  const gate = 'exec 2>&1; seq 5000; echo "b.txt is wrong"; exit 3'
  const [queued] = await orchestrator.landings.land(['dev'], { gate })
  const mending = firstValueFrom(
    orchestrator.landings.changes().pipe(filter(({ status }) => status === 'mending')),
  )
  expect((await mending).reason).toMatch(/^the gate failed:\n(\d+\n){9}b\.txt is wrong$/)
  const { status, reason } = await orchestrator.landings.settled(queued?.entry ?? '')
  expect(status).toBe('set-aside')
  const [, end, file = ''] =
    /^the gate failed: exec .*; its agent was asked 2 times to fix it:\n(.*)\nAll that it printed: (.*)$/s.exec(
      reason ?? '',
    ) ?? []
  expect(end?.split('\n')).toHaveLength(10)
  expect(await readFile(file, 'utf8')).toMatch(/^1\n2\n3\n.*\n5000\nb\.txt is wrong\n$/s)
})

test('of a gate that has printed nothing, no file is named', async () => {
  const { open } = await repository(async (workspace, prompt) => {
    if (!isFixing(prompt)) await write(workspace, prompt)
  })
  const { orchestrator, agent } = await open()
  await agent('dev', 'b.txt=two')
  const [queued] = await orchestrator.landings.land(['dev'], { gate: 'false' })
  expect((await orchestrator.landings.settled(queued?.entry ?? '')).reason).toBe(
    'the gate failed: false; its agent was asked 2 times to fix it',
  )
})

test('an entry that changes between the list and the subscription is told', async () => {
  const { open } = await repository()
  const { orchestrator, agent, landed } = await open()
  await agent('dev', 'b.txt=two')
  const { landings } = orchestrator
  const [queued] = await landings.land(['dev'])
  const listed = await landings.list()
  expect(listed.map(({ entry }) => entry)).toEqual([queued?.entry])
  await landings.settled(queued?.entry ?? '')
  const told = landings.changes()
  expect(await firstValueFrom(told)).toMatchObject({ entry: queued?.entry, status: 'landed' })
  // And each change after that, once.
  await agent('other', 'c.txt=three')
  const seen: string[] = []
  const all = told.subscribe(({ agent: id, status }) => seen.push(`${id} ${status}`))
  await firstValueFrom(told)
  await landed('other')
  await firstValueFrom(told.pipe(filter(({ agent: id, status }) => id === 'other' && status === 'landed')))
  all.unsubscribe()
  expect(seen).toEqual(['dev landed', 'other queued', 'other merging', 'other landed'])
})

test('what fixing costs counts in the budget of the run that the work is part of', async () => {
  const { repo, open, at } = await repository(async (workspace, prompt) => {
    if (!isFixing(prompt)) return write(workspace, prompt)
    await writeFile(join(workspace, 'a.txt'), 'both\n')
  })
  const { orchestrator } = await open()
  const work = fleet(['a.txt=first', 'a.txt=second'], { repo, land: {} })
  await orchestrator.run(work, 'go', { id: 'r1', budget: { usd: 5 } })
  expect(at('a.txt')).toBe('both')
  const { spent } = await orchestrator.budgets.show({ run: 'r1' })
  expect(spent.usd).toBe(1.5)
})

test('recover resumes what was queued, and waits until it has ended', async () => {
  const { base, open, at } = await repository()
  const first = await open()
  await first.agent('dev', 'b.txt=two')
  const [queued] = await first.orchestrator.landings.land(['dev'], {
    gate: `test -e ${base}/go || sleep 600`,
  })
  await firstValueFrom(
    first.orchestrator.landings.changes().pipe(filter(({ status }) => status === 'gating')),
  )
  await first.orchestrator.close()
  await writeFile(join(base, 'go'), '')
  const { orchestrator } = await open({ resume: 'on-demand' })
  await orchestrator.recover()
  expect(await orchestrator.landings.list()).toMatchObject([{ entry: queued?.entry, status: 'landed' }])
  expect(at('b.txt')).toBe('two')
})
