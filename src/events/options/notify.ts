/** Who is notified, as the configuration file and the options of an orchestrator name it, and what a receiver gets. */
import { createHash } from 'node:crypto'
import * as Schema from 'effect/Schema'
import { canonicalJson } from '../json.ts'
import { decodedInput } from './decoding.ts'
import { explainedBy, partial } from './setting.ts'
import { idOf, Text } from './values.ts'

/** What a receiver can be told. */
export const NOTIFICATION_TYPES = ['held', 'failed', 'done', 'budget', 'supervision'] as const
const NotificationType = Schema.Literals(NOTIFICATION_TYPES)

/**
 * What a receiver can be told. `held`: a task waits for a person, a budget or its account. `failed`: a run, or a task
 * outside of runs, failed for good, or a schedule did not fire. `done`: one ended otherwise. `budget`: 80 % of a budget is spent. `supervision`: a
 * supervision tree gave up.
 */
export type NotificationType = typeof NotificationType.Type

const exactlyOne = (names: readonly string[], problem: string) =>
  Schema.makeFilter((given: object) => names.filter((name) => name in given).length === 1, { problem })

/** A mistaken value is not repeated: it may be the secret itself. */
const Secret = Schema.Struct(
  partial({
    env: Text.check(
      Schema.makeFilter((name) => /^[A-Za-z_]\w*$/.test(name), {
        problem: 'is not the name of an environment variable',
        isPrivate: true,
      }),
    ),
    file: Text,
  }),
)
  .check(exactlyOne(['env', 'file'], 'names not exactly one of env and file'))
  .annotate({
    message: 'the secret must be { env: NAME } or { file: PATH }, never the secret itself',
    problem: 'is not { env: NAME } or { file: PATH }; the secret itself is never written here',
    isPrivate: true,
  })

/** Where a secret is: in a variable of the environment, or in a file. It is read for each delivery. */
export type SecretReference = typeof Secret.Type

function isWebAddress(url: string): boolean {
  if (!URL.canParse(url)) return false
  const { protocol, username, password } = new URL(url)
  return /^https?:$/.test(protocol) && username === '' && password === ''
}

const Webhook = Schema.Struct({
  url: Text.check(
    Schema.makeFilter(isWebAddress, {
      problem: 'is not an http or https address without a user and a password',
      isPrivate: true,
    }),
  ),
  secret: Schema.optionalKey(Secret),
})

const KINDS = ['command', 'webhook', 'bell']

/** A receiver of notifications: a command, a webhook, or the bell of the terminal. */
export interface NotificationReceiver {
  /** Names its place in the log. Default: made of the command or the address, so that a changed one begins anew. */
  readonly id?: string
  /** What it is told. Default: everything. */
  readonly on?: readonly NotificationType[]
  /** A program and its arguments, run without a shell. It gets the notification as JSON on stdin. */
  readonly command?: readonly string[]
  /** An address that gets the notification as JSON by POST, signed if there is a secret. */
  readonly webhook?: { readonly url: string; readonly secret?: SecretReference }
  /** Rings the bell of the terminal of this process, if it has one. */
  readonly bell?: true
}

const Receiver = explainedBy<NotificationReceiver>()(
  Schema.Struct(
    partial({
      id: idOf('receiver'),
      on: Schema.Array(NotificationType).check(Schema.isMinLength(1)),
      command: Schema.Array(Text).check(Schema.isMinLength(1)),
      webhook: Webhook,
      bell: Schema.Literal(true),
    }),
  ).check(exactlyOne(KINDS, 'names not exactly one of command, webhook and bell')),
)

/** What names a receiver in the file of places and in messages. An address may hold a secret, so it is hashed. */
export function receiverId({ id, command, webhook }: NotificationReceiver): string {
  if (id !== undefined) return id
  const [kind, what] = command ? ['command', command] : ['webhook', webhook?.url]
  if (what === undefined) return 'bell'
  return `${kind}-${createHash('sha256').update(canonicalJson(what)).digest('hex').slice(0, 8)}`
}

const areDistinct = (receivers: readonly NotificationReceiver[]) =>
  new Set(receivers.map(receiverId)).size === receivers.length

/** The receivers of one orchestrator. */
export const NotificationReceivers = Schema.Array(Receiver).check(
  Schema.makeFilter(areDistinct, {
    problem: 'has the same receiver twice, or two with the same id',
    hint: 'Give each an id of its own.',
  }),
)

/** Throws {@link InvalidInputError} for the first mistake. */
export const checkReceivers = (receivers: unknown): readonly NotificationReceiver[] =>
  decodedInput(NotificationReceivers, receivers ?? [], { name: 'notify', prefixes: true })

const Id = Schema.optionalKey(Schema.String)

/** The JSON that receivers get. Fields may be added; none changes its meaning. */
export const Notification = Schema.Struct({
  /** The id of the fact: the same in each delivery, so that a receiver can drop repetitions. */
  id: Schema.String,
  type: Schema.Literals([...NOTIFICATION_TYPES, 'test']),
  /** When it happened, ISO 8601 in UTC. */
  at: Schema.String,
  agent: Id,
  taskId: Id,
  runId: Id,
  supervisor: Id,
  /**
   * One word. `held`: approval, budget, account. `failed`: the tag of the error. `done`: succeeded, cancelled. `budget`: usd,
   * tokens. `supervision`: escalated.
   */
  reason: Schema.String,
  /** What happened, as a sentence. It quotes no prompt and no answer. */
  message: Schema.String,
  /** The command to run next. */
  hint: Schema.String,
})
/** What a receiver of notifications gets, as JSON. */
export type Notification = typeof Notification.Type
