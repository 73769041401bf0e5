// A notebook shared by a team: a custom actor, durable and replayable like an agent. It involves no model.
import { defineActor, type FactsOf, memoryStore, Orchestrator } from 'claude-multi-agent'
import { scriptedRunner } from 'claude-multi-agent/testing'
import * as Schema from 'effect/Schema'
import { assign, setup } from 'xstate'

const facts = {
  NoteWritten: Schema.Struct({ by: Schema.String, text: Schema.String }),
  NotebookClosed: Schema.Struct({}),
}
interface Notebook {
  readonly notes: readonly { readonly by: string; readonly text: string }[]
}

const notebook = defineActor({
  kind: 'notebook',
  facts,
  machine: setup({ types: {} as { context: Notebook; events: FactsOf<typeof facts> } }).createMachine({
    id: 'notebook',
    context: { notes: [] },
    initial: 'open',
    states: {
      open: {
        on: {
          NoteWritten: {
            actions: assign(({ context, event }) => ({ notes: [...context.notes, event.data] })),
          },
          NotebookClosed: 'closed',
        },
      },
      closed: {},
    },
  }),
  decide(command: { write: string; by: string } | 'close', { value, context }) {
    if (value === 'closed') throw new Error('the notebook is closed')
    if (command === 'close')
      return { facts: [{ type: 'NotebookClosed', data: {} }], reply: context.notes.length }
    const note = { by: command.by, text: command.write }
    return { facts: [{ type: 'NoteWritten', data: note }], reply: context.notes.length + 1 }
  },
})

const store = memoryStore()
await using orchestrator = await Orchestrator.open({ store, runner: scriptedRunner() })
const shared = await orchestrator.spawn(notebook, 'coral')
shared.subscribe(({ context }) => console.log(`${context.notes.length} notes`))

for (const id of ['researcher', 'critic']) {
  const agent = await orchestrator.createAgent({ id, systemPrompt: `You are the ${id}.` })
  const { text } = await agent.ask('What do you know about coral bleaching?')
  const number = await shared.ask({ write: text, by: id })
  console.log(`${id} wrote note ${number}`)
}
await shared.tell('close')

for await (const { recorded, after } of orchestrator.history.replay('notebook/coral'))
  console.log(`${recorded.type}: ${after.value}, ${after.context.notes.length} notes`)
