/** `topic`: who receives what is published on a topic. */
import type { Command } from 'commander'
import { defined } from '../../events/json.ts'
import { userName } from '../../inbox/user-name.ts'
import type { TopicInfo } from '../../messages/topics/topics.ts'
import { type GlobalOptions, withGlobals } from '../global-options.ts'
import { readStore, type Session, withSession } from '../session.ts'
import { list } from '../terminal/list.ts'
import { table } from '../terminal/table.ts'

export function topicCommands(topic: Command): void {
  topic
    .command('list')
    .alias('ls')
    .description('list topics and their subscribers')
    .action(withGlobals(listTopics))
  changing(topic, 'subscribe', 'let an agent receive what is published on a topic from now on')
  changing(topic, 'unsubscribe', 'end that')
}

const changing = (topic: Command, what: 'subscribe' | 'unsubscribe', says: string) =>
  topic
    .command(`${what} <topic> <id>`)
    .description(says)
    .action(
      withGlobals((globals: GlobalOptions, name: string, id: string) => {
        const work = async ({ orchestrator, terminal }: Session) => {
          const by = userName() || undefined
          const changed = await orchestrator.messages[what](name, id, defined({ by }))
          if (terminal.json) terminal.value(changed)
          else terminal.line(`${changed.topic}: ${changed.subscribers.join(', ') || 'no subscribers'}`)
        }
        return withSession(globals, work, 'change')
      }),
    )

function listTopics(globals: GlobalOptions): Promise<void> {
  return readStore(globals, async ({ orchestrator, terminal }) => {
    const topics = await orchestrator.messages.topics()
    const columns = [{ head: 'TOPIC' }, { head: 'PUBLISHED' }, { head: 'SUBSCRIBERS' }]
    const row = ({ topic, subscribers, published }: TopicInfo) => [
      ...[topic, String(published), subscribers.join(', ') || '-'],
    ]
    list(terminal, topics, 'No topics yet. Begin one: claude-agents topic subscribe TOPIC ID', () =>
      table(terminal, columns, topics.map(row)),
    )
  })
}
