// The protections of this project: for each, the promise in docs/semantics.md or elsewhere, edits that remove it, and the
// tests that must notice. `npm run mutants` tries them one at a time.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are texts of sources
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const STORE = 'src/store/level'
const CARE = 'src/store/care'
const POWER_LOSS = 'tests/store/level/power-loss.test.ts'
const CONTRACT = 'tests/store/contract.test.ts'
const LOCK = 'tests/store/level/lock.test.ts'
const BACKUP = 'tests/store/care/backup.test.ts'
const FULL_DISK = 'tests/full-disk.test.ts'
const GOVERNOR = 'tests/actors/admission/governor.test.ts'
const ACCOUNT_WAITS = 'tests/actors/admission/account-waits.test.ts'
const ACCOUNT_LIMITS = 'tests/actors/admission/account-limits.test.ts'
const BUDGETS = 'tests/actors/admission/budgets.test.ts'
const AGENT = 'tests/actors/agent/agent.test.ts'
const PRUNING = 'tests/claude/session/pruning.test.ts'
const REMEMBERED = 'tests/store/level/remembered-tables.test.ts'
const BROKEN_TASKS = 'tests/actors/agent/broken-tasks.test.ts'
const RECOVERY = 'tests/actors/agent/recovery.test.ts'
const DEAF_RUNNER = 'tests/deaf-runner.test.ts'
const RUNS = 'tests/patterns/runs/runs.test.ts'
const SUPERVISOR = 'tests/actors/supervision/supervisor.test.ts'
const CALL_RECOVERY = 'tests/claude/recovery.test.ts'
const OWNER_RECORD = 'tests/owner/record.test.ts'

/** Edits that break one promise: what each breaks, the file, the text and what replaces it. */
const breaking = (promise, tests, ...edits) =>
  edits.map(([what, file, from, to]) => ({ breaks: `${promise}: ${what}`, file, from, to, tests }))

export const MUTATIONS = [
  // Agents that work together
  ...breaking(
    'Who an agent is to its team, the owner of the log decides',
    {
      'tests/team/team.test.ts': [
        'sees its team, and itself in it, by the tools that it was granted and no others',
        'that is cancelled has asked for nothing: the task of the other is cancelled, and its secret is of no use',
      ],
    },
    [
      'it has all tools, whatever it was granted',
      'src/team/member.ts',
      'TEAM_SERVER_TOOLS.filter(({ name }) => granted.includes(name))',
      'TEAM_SERVER_TOOLS.filter(({ name }) => granted.includes(name) || name !== "")',
    ],
    ['a secret outlives its call', 'src/team/desk.ts', 'this.#members.delete(token)', 'void token'],
  ),
  ...breaking(
    'A call that asks another agent leaves a place for the answer',
    {
      'tests/messages/asking-places.test.ts': [
        'leave a place to one that works, however many ask and are answered, and whatever the limit becomes',
      ],
      'tests/team/flood.test.ts': ['A call that floods is refused in words that say what to do instead'],
    },
    ['the last place is taken as well', 'src/messages/asking-places.ts', 'calls >= room', 'calls > room'],
    [
      'any number of answers is waited for at a time',
      'src/team/flood.ts',
      'if (atOnce >= MOST_AT_ONCE)',
      'if (atOnce >= Infinity)',
    ],
  ),
  // The MCP server
  ...breaking(
    'A client of claude-agents mcp leaves nothing running that it waits for',
    {
      'tests/cli/mcp/tools.test.ts': [
        'tell the progress of an ask, and cancel its task when the call is cancelled',
        'run a workflow, tell its steps, and pause it when the call is cancelled',
      ],
    },
    [
      'no tool hears that its call is cancelled',
      'src/mcp/tool-server.ts',
      'signal: mcpReq.signal, progress: tell',
      'signal: new AbortController().signal, progress: tell',
    ],
  ),
  ...breaking(
    'Only with --allow-approve does it decide what waits for a person',
    {
      'tests/cli/mcp/tools.test.ts': [
        'show what waits for a person, and decide it only where the person allows that',
      ],
    },
    ['it always does', 'src/cli/mcp/server.ts', '...(mayDecide ? DECIDING : [])', '...DECIDING'],
  ),
  ...breaking(
    'Whatever a client sends is answered within bounds',
    {
      'tests/cli/mcp/tools.test.ts': [
        'refuse the calls of a client that floods, and serve it when the others have ended',
        'give a long answer in pieces that make up the whole',
      ],
    },
    [
      'any number of calls is in flight',
      'src/mcp/tool-server.ts',
      'if (this.#calls.size >= mostCalls) return',
      'if (this.#calls.size >= Infinity) return',
    ],
    [
      'half of a character is read twice',
      'src/mcp/tool.ts',
      'const end = offset + piece.length',
      'const end = offset + longest',
    ],
  ),
  // Definitions of Claude Code
  ...breaking(
    'What is imported from Claude Code is told with what was dropped',
    { 'tests/config/agent-definition.test.ts': ['names its tools as %s'] },
    [
      'what is disallowed is allowed',
      'src/config/agent-definition.ts',
      'const isAllowed = !never.has(ruleParts(rule).name)',
      'const isAllowed = ruleParts(rule).name !== ""',
    ],
  ),
  // Editing
  ...breaking(
    'An agent that is edited changes in what is given, from its next call on',
    {
      'tests/actors/agent/edit.test.ts': [
        'an edited agent is as if it had been created with what was given, and with the rest as it was',
        'an option that is edited to null has its default',
        'keeps the place where its work began, and changes how it is committed',
      ],
    },
    [
      'what is not given is lost',
      'src/events/options/agent-changes.ts',
      '= { ...optionsOf(id, config) }',
      '= { id, systemPrompt: config.systemPrompt }',
    ],
    [
      'the place where its work began changes',
      'src/events/options/agent-changes.ts',
      'if (key in place && place[key] !== known[key])',
      'if (key in place && place[key] === undefined)',
    ],
  ),
  // Servers, plugins, directories, variables
  ...breaking(
    'A secret of an MCP server is nowhere but where it is meant to be',
    { 'tests/events/servers.test.ts': ['%s is refused, and no secret is repeated'] },
    [
      'a secret is accepted as a text',
      'src/events/options/servers.ts',
      'return holdsSecret(name, value) ?',
      'return holdsSecret(name, value) && name === "" ?',
    ],
    [
      'the login of claude is given to a server',
      'src/events/options/servers.ts',
      '/^(ANTHROPIC|CLAUDE|CLAUDECODE)(_|$)/i.test(variable)',
      '/^(ANTHROPICS)$/i.test(variable)',
    ],
    [
      'a secret is accepted for want of a variable',
      'src/events/options/servers.ts',
      'holdsSecret(variable, otherwise) ||',
      'holdsSecret(variable, "") ||',
    ],
  ),
  ...breaking(
    'A secret of an MCP server is nowhere but where it is meant to be',
    { 'tests/claude/servers.test.ts': ['no values of variables add up to a reference'] },
    [
      'what variables add up to is not looked at',
      'src/claude/servers.ts',
      "if (text.includes('${'))",
      "if (text === '${')",
    ],
  ),
  ...breaking(
    'A secret of an MCP server is nowhere but where it is meant to be',
    { [CALL_RECOVERY]: ['the secrets of its servers are gone'] },
    [
      'a crash leaves the secrets of servers behind',
      'src/claude/claude-cli.ts',
      '      await removeSecrets(call, concealed)\n      if (recovered',
      '      if (recovered',
    ],
  ),
  ...breaking(
    'A secret of an MCP server is nowhere but where it is meant to be',
    {
      'tests/claude/servers.test.ts': [
        'an agent uses the tools of a stdio and of an http server, and their secrets are nowhere but there',
      ],
    },
    [
      'its files stay after the call',
      'src/claude/claude-cli.ts',
      'forget: () => removeSecrets(call, concealed)',
      'forget: () => Promise.resolve()',
    ],
  ),
  ...breaking(
    'What a server was given is hidden wherever it is repeated',
    {
      'tests/claude/servers.test.ts': [
        'a secret that a server tells, and that its agent repeats, is in no answer, no fact, no output and no file',
        'a secret that a server tells a subagent, or in a text that is too long for a conversation, is in no file',
      ],
    },
    [
      'an answer repeats it',
      'src/claude/claude-cli.ts',
      'streamParser(redact, concealed)',
      'streamParser(redact)',
    ],
    [
      'a transcript keeps it',
      'src/claude/claude-cli.ts',
      'await concealFiles(call, secrets)',
      'await Promise.resolve(secrets)',
    ],
    [
      'a subagent keeps it',
      'src/claude/session/concealed.ts',
      'yield* filesBelow(join(project, sessionId))',
      'if (sessionId === "") yield* filesBelow(join(project, sessionId))',
    ],
  ),
  ...breaking(
    'A call is not sent without the servers that it requires',
    { 'tests/claude/servers.test.ts': ['a call is not sent if a server that it requires %s'] },
    [
      'a failed server is taken for one that has started',
      'src/claude/process/runner.ts',
      "status !== 'connected' && status !== 'pending'",
      "status === 'connected' && status !== 'connected'",
    ],
  ),
  ...breaking(
    'An agent has what it is equipped with',
    {
      'tests/claude/servers.test.ts': [
        'an agent has what it is equipped with: directories, variables, plugins, effort, and no tool that it may not use',
      ],
    },
    [
      'what it may never use is not passed on',
      'src/claude/arguments.ts',
      '...disallowedTools.map(checkRule)]',
      ']',
    ],
  ),
  // Schedules
  ...breaking(
    'A message is received once, and a sent one is durable',
    {
      'tests/messages/messages.test.ts': [
        'is in the mailbox once, however often it is sent under its id, before and after a restart',
      ],
    },
    [
      'each sending is received',
      'src/actors/agent/mailbox/mailbox.ts',
      "const commitId = commitIdOf('message', this.#agent, messageId)",
      "const commitId = commitIdOf('message', this.#agent, this.#environment.newId())",
    ],
  ),
  ...breaking(
    'An actor of your own receives a message once',
    {
      'tests/messages/actors.test.ts': [
        'keeps its facts under one id even if the actor would decide something else by now',
      ],
    },
    [
      'each sending is another command',
      'src/actors/own/ref.ts',
      "const commitId = commitIdOf('message', this.stream, messageId)",
      "const commitId = commitIdOf('message', this.stream, `${messageId}${Math.random()}`)",
    ],
  ),
  ...breaking(
    'What is published is received once by each subscriber that can',
    {
      'tests/messages/topics.test.ts': [
        'A publication, crashed at each of its appends, is in one turn of each subscriber, in order',
      ],
    },
    [
      'each delivery is another message',
      'src/messages/topics/topics.ts',
      'messageId: `${topic}#${messageId}`,',
      'messageId: `${topic}#${messageId}${String(Math.random()).slice(2)}`,',
    ],
  ),
  ...breaking(
    'What is published is received once by each subscriber that can',
    {
      'tests/messages/topics.test.ts': [
        'reaches the others if one has a full mailbox, refuses it, or is gone, and the answer names these',
      ],
    },
    [
      'the answer names none of the others',
      'src/messages/topics/topics.ts',
      'const undelivered = outcomes.filter((one) => one !== undefined)',
      'const undelivered = outcomes.filter((one) => one !== undefined).slice(outcomes.length)',
    ],
  ),
  ...breaking(
    'A note is not overwritten unread',
    { 'tests/notes/notes.test.ts': ['that something else has written meanwhile is not overwritten'] },
    [
      'whichever version there is',
      'src/notes/notes.ts',
      'if (expectedVersion !== undefined && expectedVersion !== version)',
      'if (expectedVersion !== undefined && expectedVersion > version)',
    ],
  ),
  ...breaking(
    'A message is read in exactly one answered turn',
    {
      'tests/messages/messages.test.ts': [
        'is read again after a task that ended without an answer, in its place',
      ],
    },
    [
      'a failed task keeps what it has read',
      'src/actors/agent/state.ts',
      '    ...givenBack({ unread }, task),\n',
      '',
    ],
  ),
  ...breaking(
    'A message is read in exactly one answered turn',
    {
      'tests/messages/messages.test.ts': ['that came during a turn can be read in it, and is not read again'],
      'tests/actors/agent/machine.test.ts': [
        'has each message in one place until its turn is answered: in the mailbox, or in one task',
      ],
    },
    [
      'what was read in the middle of a call is lost to the next one',
      'src/actors/agent/mailbox/unread.ts',
      'readonly Unread[] => [...messages, ...news]',
      'readonly Unread[] => [...messages, ...news.slice(news.length)]',
    ],
  ),
  ...breaking(
    'The sender of a message is certain',
    {
      'tests/messages/messages.test.ts': ['cannot pretend to be from another sender, whatever its text is'],
    },
    [
      'line breaks are told as they are',
      'src/actors/agent/mailbox/unread.ts',
      "jsonLine({ from: from ?? '(a person)', messageId, ...defined({ topic }), text })",
      "jsonLine({ from: from ?? '(a person)', messageId, ...defined({ topic }), text }).replaceAll('\\\\n', '\\n')",
    ],
  ),
  ...breaking(
    'A message that nothing receives is refused at once',
    {
      'tests/messages/messages.test.ts': [
        'to an agent that is missing, stopped or removed is refused at once, and the log of the sender says so',
      ],
    },
    [
      'the log of the sender does not say so',
      'src/actors/agent/mailbox/mailbox.ts',
      'if (error instanceof UndeliverableError) {',
      'if (error instanceof UndeliverableError && error.retryable) {',
    ],
  ),
  ...breaking(
    'A mailbox is bounded',
    {
      'tests/messages/messages.test.ts': [
        'is refused with a typed error by a full mailbox, and by one that has no room for its length',
      ],
    },
    [
      'a mailbox takes any number',
      'src/actors/agent/mailbox/unread.ts',
      'if (unread.length >= most ||',
      'if (unread.length > most * 2 ||',
    ],
  ),
  ...breaking(
    'A mailbox is bounded',
    {
      'tests/messages/messages.test.ts': [
        'of a mailbox of any length is read in as many turns as it needs, none of them too long',
      ],
    },
    [
      'one turn reads all',
      'src/actors/agent/mailbox/unread.ts',
      '    if (bytes > LARGEST_READING && read.length > 0) break\n',
      '',
    ],
  ),
  ...breaking(
    'Agents do not wake each other for ever',
    {
      'tests/messages/messages.test.ts': [
        'is not woken again by a message whose task has failed, and reads it with the next one',
      ],
    },
    [
      'a failed task begins again',
      'src/actors/agent/mailbox/unread.ts',
      '({ returned }) => !returned',
      '() => true',
    ],
  ),
  ...breaking(
    'Agents do not wake each other for ever',
    {
      'tests/messages/messages.test.ts': [
        'and another one that wakes it in turn end when their messages have led to one another for too long',
      ],
    },
    [
      'a chain has no end',
      'src/actors/agent/mailbox/unread.ts',
      'if ((message.chain ?? 0) > LONGEST_CHAIN)',
      'if ((message.chain ?? 0) > LONGEST_CHAIN + 20)',
    ],
  ),
  ...breaking(
    'A held message is read only once a person has released it',
    {
      'tests/messages/messages.test.ts': [
        'reads a message once a person has released it, and never one that is denied',
      ],
    },
    ['a held message is read', 'src/actors/agent/mailbox/unread.ts', '    if (message.held) continue\n', ''],
  ),
  ...breaking(
    'No agent waits for one that waits for it',
    {
      'tests/messages/requests.test.ts': [
        'is refused at once if one would wait for itself: alone, in a row, or across two rows',
      ],
    },
    [
      'a circle of two rows is not seen',
      'src/messages/requests.ts',
      ': this.#pathBetween(to, from)',
      ': undefined',
    ],
  ),
  ...breaking(
    'No agent waits for one that waits for it',
    {
      'tests/messages/requests.test.ts': ['is refused at once if too many wait for one another'],
    },
    [
      'a request is as deep as it likes',
      'src/messages/requests.ts',
      'if (askers.length > MOST_WAITING)',
      'if (askers.length > MOST_WAITING * 2)',
    ],
  ),
  ...breaking(
    'What a request costs counts for the run that began it',
    {
      'tests/messages/requests.test.ts': [
        'counts its cost to the run that began it: its budget and its total',
      ],
    },
    ['the run does not know of it', 'src/messages/requests.ts', '      ...defined({ runId }),\n', ''],
  ),
  ...breaking(
    'An instant of a schedule is decided once',
    {
      'tests/schedules/due.test.ts': [
        'each instant is decided once: it fires, or it is missed, whenever a process looks',
      ],
    },
    [
      'an instant at the very moment of a look is decided again',
      'src/schedules/calendar.ts',
      'before(upTo + 1)',
      'before(upTo)',
    ],
  ),
  ...breaking(
    'An instant of a schedule is decided once',
    {
      'tests/schedules/schedules.test.ts': [
        'asks its agent at each of its instants, through a change to summer time and back',
        'lose and repeat nothing, whenever they crash',
      ],
    },
    [
      'the id of a task does not follow from its instant',
      'src/orchestrator.ts',
      'ask: async (agent, prompt, { id: taskId, causationId }) =>',
      'ask: async (agent, prompt, { causationId }, taskId = randomUUID()) =>',
    ],
  ),
  ...breaking(
    'What was missed is made up for as the schedule says',
    {
      'tests/schedules/due.test.ts': [
        'of what was missed, one fires, none or all, as the schedule says, and no more than 100',
      ],
    },
    [
      'what is to be skipped is made up for',
      'src/schedules/due.ts',
      "missed === 'once' || isOnTime ? [latest] : []",
      "missed !== 'all' || isOnTime ? [latest] : []",
    ],
  ),
  ...breaking(
    'Summer time skips and repeats no fixed time',
    { 'tests/schedules/due.test.ts': ['lets a time that it skips come right after the gap, once'] },
    [
      'a list of hours is no fixed time',
      'src/schedules/calendar.ts',
      "fixedTimeRule: 'no-wildcard'",
      "fixedTimeRule: 'single-value'",
    ],
  ),
  ...breaking(
    'A clock that is set back lets no instant come again, and freezes no schedule',
    {
      'tests/schedules/due.test.ts': [
        'a clock that is set back makes no instant come again, and freezes nothing',
      ],
    },
    [
      'what was decided comes again',
      'src/schedules/due.ts',
      'decided > now && decided - now <= SET_BACK_MS ? decided : now',
      'now',
    ],
    ['a clock that was ahead freezes it', 'src/schedules/due.ts', ' && decided - now <= SET_BACK_MS ?', ' ?'],
  ),
  ...breaking(
    'A schedule that cannot fire is heard of',
    {
      'tests/schedules/schedules.test.ts': [
        'is a fact, waits in the inbox until the next one, and is told to receivers',
      ],
    },
    [
      'it is told to nobody',
      'src/notifications/noteworthy.ts',
      "if (kind === 'schedule') return ofSchedule(id, fact)",
      "if (kind === 'schedule') return null",
    ],
    [
      'it is not in the inbox',
      'src/inbox/waiting.ts',
      'if ((summary?.info?.failure ?? null) === null) continue',
      "if (typeof summary?.info?.failure === 'string') continue",
    ],
  ),
  ...breaking(
    'A process in the background does not end while a schedule is to fire',
    {
      'tests/schedules/idleness.test.ts': [
        'An owner is not idle while a schedule is to fire, and is once it is paused',
      ],
    },
    [
      'schedules do not count',
      'src/cli/service/activity.ts',
      "for (const prefix of ['agent/', 'schedule/'])",
      "for (const prefix of ['agent/'])",
    ],
  ),
  // The inbox
  ...breaking(
    'What waits for a person is in the inbox, and nothing else',
    {
      'tests/inbox/inbox.test.ts': [
        'has a supervision tree that gave up until it is started again',
        'has a run that waits for its program; denying it cancels the run',
      ],
    },
    [
      'a tree that was started again still waits',
      'src/inbox/waiting.ts',
      "if (recorded.type === 'SupervisorStarted') return undefined",
      "if (recorded.type === 'AgentCreated') return undefined",
    ],
    [
      'a run that is executed waits too',
      'src/inbox/waiting.ts',
      "filter(({ status }) => status === 'waiting')",
      "filter(({ status }) => status !== 'held')",
    ],
  ),
  ...breaking(
    'What waits for a person is in the inbox, and nothing else',
    {
      'tests/inbox/landings.test.ts': [
        'Work that was set aside is in the inbox until it lands, or is given up',
      ],
    },
    [
      'work that has landed since still waits',
      'src/inbox/waiting.ts',
      'target === entry.target) === entry',
      'target === entry.target) !== undefined',
    ],
    [
      'who gave it up is forgotten',
      'src/landing/queue.ts',
      'data: { entry, ...decision } }]',
      'data: { entry } }]',
    ],
  ),
  ...breaking(
    'A decision counts once',
    { 'tests/inbox/inbox.test.ts': ['is refused to the slower of two, who hears of the quicker'] },
    [
      'the slower hears that the task is not held',
      'src/inbox/inbox.ts',
      'throw isLate ? await this.#missing(id, []) : error',
      'throw error',
    ],
  ),
  ...breaking(
    'A key decides only the entry of the inbox that was chosen on the screen',
    {
      'tests/cli/inbox/keys-view.test.ts': [
        'whatever is pressed and whatever arrives or leaves: a key decides only the entry that was chosen',
      ],
    },
    [
      'another takes the place of one that is gone',
      'src/cli/inbox/keys-view.ts',
      '...firstInboxView([]),',
      '...firstInboxView(entries),',
    ],
  ),
  ...breaking(
    'A key decides only the entry of the inbox that was chosen on the screen',
    { 'tests/cli/inbox/keys-view.test.ts': ['what is pasted is part of a reason and decides nothing'] },
    ['what is pasted are keys', 'src/cli/inbox/keys-view.ts', 'if (key.isPasted || ctrl)', 'if (ctrl)'],
  ),
  ...breaking(
    'The stream of the inbox has every change',
    { 'tests/inbox/inbox.test.ts': ['is the list at once, then whenever it changes, and ends with the log'] },
    [
      'a task that is held is not told',
      'src/inbox/stream.ts',
      'Task(Held|Approved|Failed|Cancelled)',
      'Task(Approved|Failed|Cancelled)',
    ],
  ),
  ...breaking(
    'A tool call that needs approval waits durably, without a process',
    {
      'tests/actors/agent/tool-approvals.test.ts': [
        'waits a day over three restarts without a request and without a timer, and then runs',
        'keeps its agent for its turn: what is asked meanwhile waits, and its deadline stands still',
        'has its cost in its budget, which holds the rest of the turn; no other task comes between',
      ],
    },
    [
      'its deadline runs on',
      'src/actors/agent/tasks/deferral.ts',
      'return { dueAt: null, leftMs, refusals: 0, deferred }',
      'return { dueAt: null, leftMs: null, refusals: 0, deferred }',
    ],
    [
      'the turn begins anew',
      'src/actors/agent/call.ts',
      'parentSessionId: task.deferred?.sessionId ?? (rebuilt ? null : parentSessionId),',
      'parentSessionId: rebuilt ? null : parentSessionId,',
    ],
    [
      'another task comes between',
      'src/actors/agent/tasks/deferral.ts',
      'return begun.length === 0 ? queue : begun',
      'return queue',
    ],
  ),
  ...breaking(
    'An approval is for exactly one call',
    {
      'tests/claude/asking-rules.test.ts': ['whatever a command has beyond the words of a remembered rule'],
    },
    [
      'a rule covers what a shell makes of a command',
      'src/claude/asking/rules.ts',
      "command.startsWith(`${beginning} `) && PLAIN_WORDS.test(command) && !command.includes('\\n')",
      'command.startsWith(`${beginning} `)',
    ],
  ),
  ...breaking(
    'An approval is for exactly one call',
    {
      'tests/claude/tool-approvals.test.ts': [
        'does not lead out of the workspace through a link, nor does another one that was not approved',
        'A hook that cannot read what it was given refuses the call',
        'by a project that turns hooks off',
        'after a broken stream, from a message with several calls',
        'in another folder than it was asked for: every command begins in the workspace',
      ],
    },
    [
      'it leads through a link',
      'src/claude/asking/hook.ts',
      '!isOut(written) && isOut(real)',
      'isOut(written) && !isOut(real)',
    ],
    [
      'any plan counts',
      'src/claude/asking/hook.ts',
      "if (createHash('sha256').update(text).digest('hex') !== hash)",
      "if (createHash('sha256').update(text).digest('hex') === '')",
    ],
    ['a project turns it off', 'src/claude/asking/plan.ts', 'disableAllHooks: false,', ''],
    [
      'a broken stream is asked for without streaming',
      'src/claude/asking/plan.ts',
      "CLAUDE_CODE_DISABLE_NONSTREAMING_FALLBACK: '1',",
      '',
    ],
    [
      'a command begins where the one before it ended',
      'src/claude/asking/plan.ts',
      "CLAUDE_BASH_MAINTAIN_PROJECT_WORKING_DIR: '1',",
      '',
    ],
  ),
  // Landing
  ...breaking(
    'A branch that work lands on is always in a state that passed its gate',
    {
      'tests/landing/laws.test.ts': [
        'whatever is landed together, the target is always a state that passed its gate, and everything ends',
      ],
    },
    [
      'a gate that fails has passed',
      'src/landing/queue.ts',
      "if (exitCode === 0) return [{ type: 'GatePassed'",
      "if (exitCode !== null) return [{ type: 'GatePassed'",
    ],
  ),
  ...breaking(
    'A branch moves only from what was merged on',
    {
      'tests/landing/trees.test.ts': [
        'a branch that the user moves while the gate runs is merged and judged again',
      ],
    },
    [
      'what the user has done meanwhile is ignored',
      'src/workspaces/files/landing.ts',
      "if (now !== tip) return { outcome: 'missed' }",
      "if (now === null) return { outcome: 'missed' }",
    ],
  ),
  ...breaking(
    'Work lands in a shallow clone, and what is kept of it is complete',
    {
      'tests/landing/shallow.test.ts': [
        'work lands in a shallow clone, and after the clone was deepened, fetched anew and completed',
        'what is kept of an agent is complete where its branch has moved to the end of another history',
        'a shallow clone takes no history from another clone beside it',
      ],
    },
    [
      'the end of its history is not known where work is merged',
      'src/workspaces/files/merge.ts',
      'merging.cutOffAt(ends)',
      'merging.cutOffAt(ends.slice(0, 0))',
    ],
    [
      'the end of its history is not known where files are kept',
      'src/workspaces/files/repository.ts',
      'if (ends.has(oid) && ',
      'if (!ends && ',
    ],
    [
      'another clone that has more ends there as well',
      'src/workspaces/files/merge.ts',
      "if (lines[at]?.includes(' commit ')) ends.delete(commit)",
      "if (lines[at]?.includes(' tag ')) ends.delete(commit)",
    ],
  ),
  ...breaking(
    'A landing is finished after a kill',
    {
      'tests/landing/landing.test.ts': [
        'work lands on a clean checked-out branch, with its files and its index',
      ],
    },
    [
      'a target that has moved is not recognized',
      'src/workspaces/files/landing.ts',
      'if (now !== null && (await isAncestor(common, commit, now))) return moved',
      'if (now === ref) return moved',
    ],
  ),
  ...breaking(
    'A landing is finished after a kill in the middle of git',
    {
      'tests/landing/half-moved.test.ts': [
        'whatever git has left of a move, it is taken back',
        'what the user has written since git was killed stays, and the work lands beside it',
      ],
    },
    [
      'a tree that is half moved stays as it is',
      'src/workspaces/files/landing.ts',
      'if (tree && !tree.isBusy && now === begun.tip) await takeBack',
      'if (tree && !tree.isBusy && now === begun.commit) await takeBack',
    ],
    [
      'what the user has written is taken back as well',
      'src/workspaces/files/checked-out.ts',
      'if (found && !(to && (await begins(ours, to.oid, found.bytes)))) continue',
      'if (found && !to) continue',
    ],
  ),
  ...breaking(
    'A landing is finished after a kill in the middle of git',
    {
      'tests/landing/half-moved.test.ts': [
        'after a crash, a lock is removed only if it is that of a git of ours that is dead',
      ],
    },
    [
      'the lock of a git that nobody knows is removed',
      'src/workspaces/files/landing.ts',
      'if (!isDead || (another',
      'if (isDead && (another',
    ],
    [
      'the lock of another git that is at work is removed',
      'src/workspaces/files/landing.ts',
      '(another ?? !killedHere.has(file)))',
      '(another === null && !killedHere.has(file)))',
    ],
  ),
  ...breaking(
    'What landed beside its target and was deleted does not come back',
    {
      'tests/landing/unlucky.test.ts': [
        'what landed beside the target and was deleted by the user does not come back, and the repository is complete',
      ],
    },
    [
      'what was deleted is merged on',
      'src/landing/queue.ts',
      '(await this.#operations.isOnBranch(repo, beside)) &&',
      '',
    ],
  ),
  ...breaking(
    'The cost of fixing counts in the budget of its run',
    {
      'tests/landing/mending.test.ts': [
        'what fixing costs counts in the budget of the run that the work is part of',
      ],
    },
    [
      'it counts for its agent alone',
      'src/landing/queue.ts',
      '...(runId === undefined ? {} : { runId }) }',
      '}',
    ],
  ),
  ...breaking(
    'Landing touches no tree that is not clean',
    { 'tests/landing/trees.test.ts': ['a dirty tree stays byte for byte as it is'] },
    [
      'changes do not count',
      'src/workspaces/files/checked-out.ts',
      'if (!changes.every(isOurs)) return',
      'if (changes.length > 1e9) return',
    ],
  ),
  ...breaking(
    'An agent whose work conflicts fixes it',
    {
      'tests/landing/landing.test.ts': [
        'an agent that leaves the marks of a conflict is asked once more, and then its work does not land',
      ],
    },
    [
      'the marks of a conflict land',
      'src/landing/queue.ts',
      'if (marked.length > 0) {',
      'if (marked.length > 1e9) {',
    ],
  ),
  ...breaking(
    'Entries that wait together are judged together',
    {
      'tests/landing/laws.test.ts': [
        'entries that wait together are judged together, and the one at fault is found by halves',
      ],
    },
    [
      'each is judged alone',
      'src/landing/machine.ts',
      '.slice(0, MOST_TOGETHER)',
      '.slice(0, MOST_TOGETHER - 15)',
    ],
  ),
  // Files
  ...breaking(
    'A turn of an agent is a transaction over its files',
    {
      'tests/actors/agent/files.test.ts': [
        'a call that failed leaves nothing for the next one, and what it did is in a snapshot',
      ],
    },
    [
      'a call that failed counts as settled',
      'src/actors/agent/state.ts',
      '{ commit, before: commit, ',
      '{ commit, ',
    ],
  ),
  ...breaking(
    "A project's own settings count only as the user has seen them",
    {
      'tests/actors/agent/project.test.ts': [
        'settings that were trusted count until the agent changes them, and again when the user has looked at them',
      ],
    },
    ['any content is trusted', 'src/config/trust.ts', 'update(`${place}\\0${text}`)', 'update(place)'],
  ),
  ...breaking(
    "A project's own settings count only as the user has seen them",
    {
      'tests/actors/agent/project.test.ts': [
        'a declaration trusts what the repository had, and not what the agent has made of it',
      ],
    },
    [
      'a declaration trusts what the agent has made',
      'src/actors/agent/agent.ts',
      'text: workspace.settings',
      'text: (await runner.files.project(place)).hash',
    ],
  ),
  ...breaking(
    "A project's own settings count only as the user has seen them",
    {
      'tests/actors/agent/project.test.ts': [
        'that settings do not count is logged once, and told to those who ask each agent on them',
      ],
    },
    [
      'each agent logs that they do not count',
      'src/actors/agent/call-files.ts',
      'const isNews = !told.has(settings)',
      'const isNews = told.size >= 0',
    ],
  ),
  ...breaking(
    "A project's own settings count only as the user has seen them",
    {
      'tests/workspaces/files/project.test.ts': [
        'the hash of the settings changes with what claude would load, and with nothing else',
      ],
    },
    [
      'what lies in other directories is not seen',
      'src/workspaces/files/project.ts',
      'else if (entry.isDirectory()) await search(join(path, name))',
      'else void entry.isDirectory()',
    ],
  ),
  ...breaking(
    'A snapshot brings back bytes, modes, links, deletions and untracked files',
    { 'tests/workspaces/files/file-history.test.ts': ['restores bytes, modes, links, deletions'] },
    [
      'a file that is new stays',
      'src/workspaces/files/file-history.ts',
      'if (to === undefined && !ignored.has(path)) await removeFileAt(root, path)',
      'if (to === undefined && !ignored.has(path)) void path',
    ],
  ),
  ...breaking(
    'A git that is killed has said nothing',
    {
      'tests/workspaces/files/strange.test.ts': [
        'a git that is killed has said nothing',
        'locks that a killed process left do not stop the next one',
      ],
    },
    [
      'a lock of a killed git stays',
      'src/workspaces/files/file-history.ts',
      'return rm(`${file}.lock`, { force: true })',
      'return rm(`${file}.other`, { force: true })',
    ],
  ),
  ...breaking(
    'A snapshot brings back bytes, modes, links, deletions and untracked files',
    { 'tests/workspaces/files/strange.test.ts': ['what the rules of a snapshot ignore'] },
    [
      'what is ignored again is removed',
      'src/workspaces/files/file-history.ts',
      'if (to === undefined && !ignored.has(path)) await removeFileAt(root, path)',
      'if (to === undefined) await removeFileAt(root, path)',
    ],
  ),
  ...breaking(
    'A snapshot brings back bytes, modes, links, deletions and untracked files',
    {
      'tests/workspaces/files/file-history.test.ts': ['a file that is changed and changed back is seen by'],
    },
    [
      'only what differs from the index is looked at',
      'src/workspaces/files/file-history.ts',
      'for (const path of this.#ahead.keys()) if (!isInner(path)) suspects.add(path)',
      'void isInner',
    ],
  ),
  ...breaking(
    'The tasks of a fleet are independent',
    {
      'tests/patterns/fleet.test.ts': [
        'are valid, differ, and are the same for the same tasks and name',
        'never change: the log has them',
      ],
    },
    [
      'two runs have the same agents',
      'src/patterns/fleet.ts',
      'JSON.stringify([name, task, nth])',
      'JSON.stringify([task, nth])',
    ],
  ),
  ...breaking(
    'The tasks of a fleet are independent',
    {
      'tests/patterns/fleet.test.ts': [
        'a task that was answered is not asked again when its agent was removed',
      ],
    },
    [
      'another commit makes another agent of it',
      'src/patterns/runs/step-key.ts',
      'const { commit: _, settings: __, ...workspace } = config.workspace',
      'const { settings: __, ...workspace } = config.workspace',
    ],
    [
      'a plan knows only the agents that are there',
      'src/patterns/runs/workflow-builder.ts',
      'if (isMissing) return configFingerprint(await this.#agents.configOf(options))',
      '',
    ],
  ),
  ...breaking(
    'The work of a step lands once',
    {
      'tests/patterns/fleet.test.ts': [
        'while its work lands continues to land it, once',
        'what passes lands, and what does not stays on its branch, and is said',
      ],
    },
    [
      'a recorded answer lands nothing',
      'src/patterns/runs/durable-ask.ts',
      'if (known && !options.land) return emit(known.text, known.factId)',
      'if (known) return emit(known.text, known.factId)',
    ],
    [
      'it is queued again by another name',
      'src/patterns/runs/durable-ask.ts',
      '{ ...land, runId, requestId: `${runId}.${stepKey}` }',
      '{ ...land, runId, requestId: `${runId}.${stepKey}.${Math.random()}` }',
    ],
    [
      'work that was set aside counts as landed',
      'src/landing/step-landing.ts',
      "if (status !== 'landed') throw new WorkNotLandedError({ agent, reason })",
      'void [status, reason]',
    ],
  ),
  ...breaking(
    'A run creates all missing agents of its team, or none',
    {
      'tests/patterns/fleet.test.ts': [
        'if one agent cannot be created, the others are not left behind, and there is no run',
        'a fleet resumes when what its agents began from is gone',
      ],
    },
    [
      'those that were created stay',
      'src/patterns/runs/workflow-builder.ts',
      'for (const { id } of created) await this.#agents.remove(id, { force: true }).catch(() => {})',
      'void created',
    ],
    [
      'those that are there are created again',
      'src/patterns/runs/workflow-builder.ts',
      "if ((await this.#agents.stateOf(options.id)).value !== 'absent') continue",
      '',
    ],
  ),
  ...breaking(
    'The diff of a run has what its own turns did, and nothing else',
    {
      'tests/patterns/fleet.test.ts': [
        'the diff of a run has what its own turns did, and nothing that was done between them',
      ],
    },
    [
      'it has the turns of other tasks',
      'src/patterns/runs/reading/files.ts',
      'if (!tasks.has(taskId)) continue',
      'void tasks',
    ],
    [
      'it has what was done between its turns',
      'src/patterns/runs/reading/files.ts',
      'if (last?.to === before) stretches',
      'if (last) stretches',
    ],
  ),
  ...breaking(
    'The diff of a run has what its own turns did, and nothing else',
    {
      'tests/patterns/fleet.test.ts': [
        'the diff of a run is there when its agents are gone, and makes nothing',
      ],
    },
    [
      'to look at it makes a worktree again',
      'src/workspaces/files/operations.ts',
      'from === to ? [] : look(place, [from, to], (snapshots) => snapshots.changes(from, to)),',
      'withHistory(place as FilesPlace, (history) => history.changes(from, to)),',
    ],
  ),
  ...breaking(
    'A workspace that is lost is made again',
    {
      'tests/actors/agent/files.test.ts': ['a worktree that is gone is made again from the newest snapshot'],
    },
    [
      'from its base',
      'src/workspaces/files/open-histories.ts',
      'history.layOut(last ?? begins',
      'history.layOut(workspace?.commit',
    ],
  ),
  ...breaking(
    'Where a workspace cannot be made again',
    {
      'tests/actors/agent/files.test.ts': [
        'an agent whose branch is checked out elsewhere, as that of a restored copy is, can be looked at',
      ],
    },
    [
      'looking needs the branch',
      'src/actors/agent/files.ts',
      'if (files && this.#files.isGone(this.#place)) return files.commit',
      'void files',
    ],
  ),
  ...breaking(
    'What a user puts into a workspace between two calls stays',
    {
      'tests/actors/agent/private-files.test.ts': [
        'what a user puts there by hand stays, whatever becomes of the calls before and after',
      ],
    },
    [
      'a failed call is taken back when the next one begins',
      'src/actors/agent/call-files.ts',
      'const fact = await takeBack(of)\n      if (!fact) return {',
      'const fact = undefined\n      if (!fact) return {',
    ],
  ),
  ...breaking(
    'Snapshots are small',
    {
      'tests/workspaces/files/size.test.ts': [
        'many turns that change 2 KB each take at most 3 times the changes, and all of them are there',
      ],
    },
    [
      'they are never packed',
      'src/workspaces/files/repository.ts',
      'if (packs < MOST_PACKS) return',
      'if (packs >= 0) return',
    ],
  ),
  ...breaking(
    'The size and the number of files bound memory, not work',
    {
      'tests/workspaces/files/limits.test.ts': [
        'a file over the limit is named, and neither saved nor touched, until it is smaller',
        'of more files than the limit the deepest are left, whatever else changes, until there is room',
      ],
    },
    [
      'a file of any size is read',
      'src/workspaces/files/tree-files.ts',
      "if (opened.size > largest) return 'left'",
      "if (opened.size < 0) return 'left'",
    ],
    [
      'any number of files is saved',
      'src/workspaces/files/file-history.ts',
      'if (fresh.length <= room) return []',
      'if (fresh.length >= 0) return []',
    ],
  ),
  ...breaking(
    'What git reads and prints arrives whole',
    {
      'tests/workspaces/files/git.test.ts': [
        'what git prints is returned byte for byte, whatever its last bytes are',
      ],
    },
    [
      'a line feed at the end is taken for punctuation',
      'src/workspaces/files/git.ts',
      'stdout: Buffer.concat(pieces) }',
      "stdout: Buffer.from(Buffer.concat(pieces).toString('latin1').trimEnd(), 'latin1') }",
    ],
  ),
  ...breaking(
    'Names that differ only in case are never mixed up',
    {
      'tests/workspaces/files/case-folding.test.ts': [
        'a snapshot with two names that differ only in case is refused where they would be one file, and nothing is written',
      ],
    },
    [
      'the file system is not asked',
      'src/workspaces/files/file-history.ts',
      'if (!(await foldsCase(root))) return',
      'if (clash) return',
    ],
  ),
  ...breaking(
    'Snapshots live as long as what the log says of their turns',
    {
      'tests/store/care/snapshots.test.ts': [
        'a compaction keeps the snapshots and says so, or drops those of old turns: then no other one is gone',
      ],
    },
    ['nobody is asked', 'src/actors/agent/retention.ts', 'cut: rule.snapshots ? first : []', 'cut: first'],
    [
      'the log does not say which were dropped',
      'src/actors/agent/retention.ts',
      'if (rule.snapshots && snapshots.facts.has(position)) return',
      'if (position < 0) return',
    ],
    [
      'what is cut off stays',
      'src/workspaces/files/repository.ts',
      'if (await this.#has(commit)) this.#cutOff(commit)',
      'void commit',
    ],
  ),
  ...breaking(
    'Where there are no files, keeping them costs nothing',
    {
      'tests/actors/agent/private-files.test.ts': [
        'where there is nothing, nothing is saved: no process of git and no fact',
      ],
    },
    [
      'an empty directory is saved',
      'src/workspaces/files/operations.ts',
      'if (hasNothing(place)) return NOTHING',
      'if (false) return NOTHING',
    ],
  ),
  ...breaking(
    'A copy of a log contains the files of all turns',
    {
      'tests/store/care/snapshots.test.ts': [
        'carries what is whole, and names the agents whose snapshots are not',
      ],
    },
    [
      'nothing is looked for before it is packed',
      'src/workspaces/files/snapshots.ts',
      'return missing?.length === 0',
      'return missing !== undefined',
    ],
  ),
  ...breaking(
    'Nothing that an agent has made is unreachable',
    {
      'tests/actors/agent/unlanded-work.test.ts': [
        'work is refused to be lost although the worktree is gone already',
      ],
    },
    [
      'a branch that was deleted begins at its base',
      'src/workspaces/files/worktree.ts',
      "last?.tip ?? commit, ''",
      "commit, ''",
    ],
  ),
  ...breaking(
    'Work that is nowhere else is not removed with its agent',
    {
      'tests/actors/agent/unlanded-work.test.ts': [
        'an agent is not removed while its commits are on no other branch, and keeps its tasks',
      ],
    },
    [
      'without being asked',
      'src/actors/agent/system.ts',
      'if (!force) await this.#assertNothingLost(await this.folded(id))',
      'if (!force) await this.get(id)',
    ],
  ),
  ...breaking(
    'No held task or message is dropped unasked when its agent is removed',
    {
      'tests/actors/agent/removal.test.ts': [
        'an agent with a task that is held for',
        'agents that hold nothing are removed beside one that does',
      ],
    },
    [
      'as if there were none',
      'src/actors/agent/system.ts',
      'if (counts.held + counts.messages > 0) throw new HeldTasksError',
      'if (counts.held + counts.messages > 9) throw new HeldTasksError',
    ],
  ),
  ...breaking(
    'Work that is nowhere else is not removed with its agent',
    {
      'tests/actors/agent/unlanded-work.test.ts': [
        'work that landed as one commit is landed, and what came after it is not',
      ],
    },
    [
      'work that landed as one commit is looked for as it was',
      'src/workspaces/files/unlanded-work.ts',
      'if (await isOnAnother(worktree, as)) landed.push(work)',
      'void as',
    ],
    [
      'it counts although no branch has it',
      'src/workspaces/files/unlanded-work.ts',
      'if (await isOnAnother(worktree, as)) landed.push(work)',
      'if (as) landed.push(work)',
    ],
  ),
  ...breaking(
    'Work that is nowhere else is not removed with its agent',
    {
      'tests/actors/agent/unlanded-work.test.ts': [
        'work that the user has taken over by hand is landed',
        'work that the user has taken over in part, or has taken back, is not landed',
      ],
    },
    [
      'what was taken over by hand is not looked for',
      'src/workspaces/files/unlanded-work.ts',
      'const commits = isTaken ? 0 : counted',
      'const commits = counted',
    ],
    [
      'what was taken over in part counts',
      'src/workspaces/files/unlanded-work.ts',
      'if (conflicts.length === 0 && tree === (await treeOf(merging, branch))) return true',
      'if (conflicts.length === 0 && tree) return true',
    ],
  ),
  ...breaking(
    'Work that is nowhere else is not removed with its agent',
    {
      'tests/actors/agent/unlanded-work.test.ts': [
        'an agent that is created again continues on the branch that it had left, with its files',
      ],
    },
    [
      'a new agent of that id undoes it',
      'src/workspaces/files/open-histories.ts',
      '((await ours.refAt(branchRef(agent))) ?? workspace.commit)',
      'workspace.commit',
    ],
  ),
  ...breaking(
    'An undoing and a task never mix',
    {
      'tests/actors/agent/undo-race.test.ts': [
        'a turn that ends while an undoing waits is the one that is undone',
      ],
    },
    [
      'the turn that was the last one is undone',
      'src/actors/agent/files.ts',
      'this.#life.version === version ? target : undefined',
      'target',
    ],
  ),
  ...breaking(
    "The user's repository stays as it is, and nothing of it runs.",
    {
      'tests/workspaces/files/worktree.test.ts': [
        'an agent gets the files of a commit, and nothing of a hostile repository runs',
      ],
    },
    [
      'its hooks run',
      'src/workspaces/files/git.ts',
      "'core.hooksPath=/dev/null', 'core.fsmonitor=false'",
      "'core.fsmonitor=false'",
    ],
  ),
  ...breaking(
    "The user's repository stays as it is, and nothing of it runs.",
    {
      'tests/workspaces/files/hostile-repository.test.ts': [
        'nothing of a hostile repository is started by anything that an agent on it does',
      ],
    },
    [
      'its own git is found on the PATH',
      'src/workspaces/files/git.ts',
      "absoluteEntries(process.env.PATH ?? '')",
      'process.env.PATH',
    ],
    [
      'what a partial clone lacks is fetched',
      'src/workspaces/files/git.ts',
      "  GIT_NO_LAZY_FETCH: '1',\n  GIT_ALLOW_PROTOCOL: '',",
      '',
    ],
    [
      'git checks out the files',
      'src/workspaces/files/worktree.ts',
      "'--quiet', '--no-checkout'",
      "'--quiet'",
    ],
  ),
  ...breaking(
    'Hooks of a repository run only where it is trusted',
    {
      'tests/claude/environment.test.ts': [
        'an agent on a repository is the author of its commits, and hooks run in them only if the repository is trusted',
      ],
    },
    [
      'they run at the commits of an agent',
      'src/claude/environment.ts',
      "'core.hooksPath': '/dev/null', ",
      '',
    ],
  ),
  ...breaking(
    'A pipe in a repository stops nothing',
    {
      'tests/workspaces/files/hostile-repository.test.ts': [
        'a pipe in place of %s is told, and not waited for',
      ],
    },
    [
      'pipes are not looked for',
      'src/workspaces/files/worktree.ts',
      '  refusePipes(directory, repository)\n',
      '',
    ],
  ),
  // The log
  ...breaking(
    'A power loss at any moment',
    { [POWER_LOSS]: ['loses nothing acknowledged, tears no append'] },
    [
      'an append is not synced',
      `${STORE}/writer.ts`,
      'await batch.write({ sync: true })\n    this.#epochIsWritten = true',
      'await batch.write({ sync: false })\n    this.#epochIsWritten = true',
    ],
    ['a file gets its name before its content', 'src/store/directory.ts', '      await file.sync()\n', ''],
    [
      'the name of a file is not synced',
      'src/store/directory.ts',
      '  await syncDirectory(dirname(path))\n',
      '',
    ],
    [
      'the names of LevelDB’s files are not synced',
      `${STORE}/database.ts`,
      '  await syncDirectory(path)\n',
      '',
    ],
  ),
  ...breaking(
    'A power loss at any moment',
    { [POWER_LOSS]: ['leaves a finished copy whole'] },
    [
      'a copy gets its name before its content',
      `${CARE}/archive/writer.ts`,
      '      await handle.sync()\n',
      '',
    ],
    [
      'the name of a copy is not synced',
      `${CARE}/archive/writer.ts`,
      '  await syncDirectory(dirname(path))\n',
      '',
    ],
    [
      'the name of a restored store is not synced',
      `${CARE}/store-builder.ts`,
      '    await syncDirectory(dirname(target))\n',
      '',
    ],
    [
      'restored facts are not synced',
      `${CARE}/store-builder.ts`,
      'write({ sync: true })',
      'write({ sync: false })',
    ],
  ),
  ...breaking(
    'A power loss at any moment',
    { [POWER_LOSS]: ['during a compaction leaves every state as it was'] },
    [
      'blobs are removed before their facts are synced',
      `${CARE}/compaction.ts`,
      '    if (batch.length > 0) await batch.write({ sync: true })',
      '    await collectBlobs(this.#paths.blobs, this.#needed, { dryRun: this.#dryRun })\n    if (batch.length > 0) await batch.write({ sync: true })',
    ],
  ),
  ...breaking(
    'An append is atomic',
    {
      'tests/store/level/reopening.test.ts': ['A record over the size limit is refused'],
      [CONTRACT]: ['A store on LevelDB'],
    },
    [
      'an append with a conflict is written nevertheless',
      `${STORE}/writer.ts`,
      "    if (error) return { kind: 'conflict', error }\n",
      '',
    ],
    [
      'only the first append of a group is checked',
      'src/store/append-request.ts',
      'for (const { stream, expectedVersion, facts } of group) {',
      'for (const { stream, expectedVersion, facts } of group.slice(0, 1)) {',
    ],
  ),
  ...breaking(
    'An append is atomic',
    { 'tests/store/level/kill.test.ts': ['times kill -9 under load loses nothing acknowledged'] },
    [
      'each append of a group is written alone',
      `${STORE}/store.ts`,
      'return perAppend(group, await writer.append(group))',
      'const each = []; for (const one of group) each.push(await writer.append([one])); return each',
    ],
  ),
  ...breaking(
    'A stale writer is fenced',
    { [CONTRACT]: ['A store on LevelDB'] },
    [
      'an earlier token is accepted',
      'src/store/append-request.ts',
      'token !== (this.#tokens.get(stream) ?? null)',
      '(token !== null) !== this.#tokens.has(stream)',
    ],
    [
      'an append without a token is not checked',
      'src/store/append-request.ts',
      'token !== (this.#tokens.get(stream) ?? null)',
      'token !== null && token !== this.#tokens.get(stream)',
    ],
    [
      'a claim does not wait for what is being written',
      `${STORE}/writer.ts`,
      '    await this.#queue.push([])\n',
      '',
    ],
  ),
  ...breaking(
    'What was written and not acknowledged counts once',
    { 'tests/patterns/runs/appends.test.ts': ['was written and not acknowledged'] },
    [
      'an accepted task is not folded',
      'src/actors/agent/tasks/tasks.ts',
      '    if (isUnheard) await this.#life.refresh()\n',
      '',
    ],
    [
      'a fact of a step is recorded again',
      'src/patterns/runs/durable-ask.ts',
      'this.#inLog.has(fact.type) ? [] : [fact]',
      'this.#inLog.has(`${fact.type} twice`) ? [] : [fact]',
    ],
  ),
  ...breaking(
    'A step writes to the log twice',
    { 'tests/patterns/runs/appends.test.ts': ['An ask outside a run writes twice'] },
    [
      'a process knows no account before its first call',
      'src/orchestrator.ts',
      '        await orchestrator.#admission.prepare().catch(() => {})\n',
      '',
    ],
  ),
  ...breaking(
    'A log in PostgreSQL keeps these promises, too',
    {
      'tests/store/postgres/outages.test.ts': [
        'that breaks after a commit and before its answer: the append is written once, and answered',
      ],
    },
    [
      'a batch that was written is written again',
      'src/store/postgres/schema.ts',
      'if number <= last_batch then',
      'if false then',
    ],
  ),
  ...breaking(
    'A process that has lost its database to another one',
    {
      'tests/store/postgres/opening.test.ts': [
        'is lost to the process that opens it while this one is cut off: nothing more is written, and its work ends',
      ],
    },
    [
      'an append does not look who has the store',
      'src/store/postgres/schema.ts',
      'if log.owner <> owning then return null; end if;',
      '',
    ],
  ),
  ...breaking(
    'A writer of an earlier release appends beside newer ones',
    {
      'tests/store/postgres/opening.test.ts': [
        'A writer of an earlier release, which leaves out nothing and puts notes behind its facts, writes the same records',
      ],
    },
    [
      'what is behind a fact without a cause is left out',
      'src/store/postgres/schema.ts',
      "if afters[fact] <> '' then",
      'if causes[fact] is not null then',
    ],
  ),
  ...breaking(
    'Those who wait ask the database together',
    {
      'tests/cluster/addresses.test.ts': [
        'However many asks wait for a worker with labels, a process asks the database four questions a second at most',
      ],
    },
    [
      'each looks at moments of its own',
      'src/cluster/labels/addresses.ts',
      'LOOK_MS - Math.floor(steadyTime(this.#clock) % LOOK_MS)',
      'LOOK_MS',
    ],
  ),
  ...breaking(
    'A log moves between a directory and a database',
    {
      'tests/store/postgres/care.test.ts': [
        'has the same records and the same chain as on LevelDB, and is copied there and back byte for byte',
      ],
    },
    [
      'a cause is written elsewhere',
      'src/store/postgres/schema.ts',
      'first_position + causes[fact]',
      'first_position + causes[fact] + 1',
    ],
  ),
  ...breaking(
    'A step writes to the log twice',
    {
      'tests/patterns/runs/appends.test.ts': [
        'A step of a run writes twice: when it begins, and when it is answered',
      ],
    },
    [
      'the beginning is written apart',
      'src/actors/agent/tasks/tasks.ts',
      'if (call && (await this.#acceptWithStep(data, origin, call, step))) return undefined',
      '',
    ],
    [
      'the answer is written apart',
      'src/actors/agent/call-endings.ts',
      'if (!step || task.attempt > 1) return',
      'if (step || task.attempt > 1) return',
    ],
  ),
  ...breaking('A fact names its cause', { [CONTRACT]: ['A store on LevelDB'] }, [
    'a cause of the same append is counted from the beginning of its own stream',
    `${STORE}/writer.ts`,
    'version: ++version, at, epoch }, first)',
    'version: ++version, at, epoch }, position + 1 - (version - last + facts.length))',
  ]),
  ...breaking(
    'A fact is read as it was appended',
    { [CONTRACT]: ['A store on LevelDB'] },
    [
      'data that JSON changes is accepted',
      'src/store/append-request.ts',
      'const copy = wholeCopyOf(fact.data)',
      'const copy = wholeCopyOf(fact.data) ?? JSON.parse(JSON.stringify(fact.data))',
    ],
    [
      'NaN is accepted',
      'src/store/append-request.ts',
      'return Number.isFinite(value) ? value + 0 : undefined',
      'return value',
    ],
  ),
  ...breaking('The expected version', { [CONTRACT]: ['A store on LevelDB'] }, [
    'any version is accepted',
    'src/store/append-request.ts',
    'if (expectedVersion !== null && expectedVersion !== actual)',
    'if (Number.isNaN(actual))',
  ]),
  ...breaking(
    'A fact whose upcast or fold throws is named',
    {
      'tests/actors/engine/fold-fact.test.ts': [
        'is named with its stream, version and type, whoever reads it',
      ],
    },
    [
      'the error of a fold passes as it is',
      'src/actors/engine/history.ts',
      '    throw new UnreadableFactError(',
      '    throw cause ?? new UnreadableFactError(',
    ],
  ),
  ...breaking(
    'A commit id is written once',
    { [CONTRACT]: ['A store on LevelDB'] },
    [
      'a repeated id is written again',
      `${STORE}/writer.ts`,
      "    if (repetition) return { kind: 'repeated', repetition }\n",
      '',
    ],
    ['other facts under a known id pass', `${STORE}/writer.ts`, '    if (conflict) throw conflict\n', ''],
  ),
  ...breaking(
    'A commit id is written once',
    { 'tests/store/level/reopening.test.ts': ['A reopened store has everything'] },
    [
      'commit ids are not kept',
      `${STORE}/entries.ts`,
      'if (commitId === null) return summary',
      "if (commitId !== '') return summary",
    ],
  ),
  ...breaking(
    'Positions and versions have no gaps',
    { 'tests/store/level/model.test.ts': ['on LevelDB, even if the store is reopened in between'] },
    [
      'a version is left out',
      `${STORE}/writer.ts`,
      'this.#versions.set(stream, version)',
      'this.#versions.set(stream, version + 1)',
    ],
  ),
  ...breaking(
    'The log matches its model',
    {
      'tests/store/level/model.test.ts': ['on LevelDB, even if the store is reopened in between'],
      [CONTRACT]: ['A store on LevelDB'],
    },
    [
      'a limit takes one fact too many',
      'src/store/read-range.ts',
      'to: Math.min(to, after + limit), backwards }',
      'to: Math.min(to, after + limit + 1), backwards }',
    ],
  ),
  ...breaking(
    'A follower sees each fact once',
    {
      'tests/store/level/write-failure.test.ts': [
        'A batch that failed but was written after all is there once',
      ],
      [CONTRACT]: ['A store on LevelDB'],
    },
    [
      'a follower repeats its last fact',
      'src/store/follow.ts',
      'this.#store.readAll({ after, to: last })',
      'this.#store.readAll({ after: Math.max(0, after - 1), to: last })',
    ],
    [
      'followers are not told of what is written',
      'src/store/level/writer.ts',
      'this.#parts.watermark.advance(end.position)',
      '',
    ],
  ),

  ...breaking(
    'Followers do not hold up a writer',
    { 'tests/store/level/followers.test.ts': ['64 followers from position 0'] },
    [
      'each follower reads for itself',
      'src/store/follow.ts',
      '    let page = this.#pages.get(key)\n',
      '    let page: Promise<FollowedPage> | undefined\n',
    ],
  ),
  ...breaking(
    'Followers do not hold up a writer',
    { 'tests/store/level/followers.test.ts': ['An append waits for two pages at most'] },
    [
      'pages are read one after another while a write waits',
      'src/store/follow.ts',
      '      await Promise.race([this.#written(), advanced])\n',
      '',
    ],
  ),

  // Damage
  ...breaking(
    'A reader gets what was written, or an error that names the location',
    { 'tests/store/level/damage.test.ts': ['that was changed is reported as corrupt'] },
    [
      'a hash is not compared',
      `${STORE}/entries.ts`,
      'if (sha256(covered + text) !== (seal ?? own))',
      'if (own.length === 0)',
    ],
  ),
  ...breaking(
    'A reader gets what was written, or an error that names the location',
    { 'tests/store/level/damage.test.ts': ['that is missing in the middle'] },
    [
      'a missing record is skipped',
      `${STORE}/reader.ts`,
      'if (found !== position) throw new SequenceGap({ stream: null, expected: position, found, file })',
      'position = found',
    ],
  ),
  ...breaking(
    '`log verify` finds any flipped bit',
    { 'tests/store/care/verify.test.ts': ['Every flipped bit of every file of the database is found'] },
    [
      'checksums of blocks are not compared',
      `${CARE}/verify/file-check.ts`,
      'if (problem !== null) report(offset, `a block: ${problem}`)',
      '',
    ],
  ),
  ...breaking(
    'A lost tail is detected',
    { 'tests/store/level/damage.test.ts': ['that is missing at the end is a lost tail'] },
    [
      'the end is not compared with head',
      `${STORE}/recovery.ts`,
      'if (end.position < head.position) {',
      'if (end.position < 0) {',
    ],
  ),
  ...breaking(
    'A torn write is not damage; a lost tail is',
    { 'tests/store/level/torn-log.test.ts': ['A store that was closed has no torn record'] },
    [
      'a torn record always passes',
      `${CARE}/verify/file-check.ts`,
      'checkLog(log, findings, killed && isLast)',
      'checkLog(log, findings, true)',
    ],
  ),
  ...breaking(
    'A torn write is not damage; a lost tail is',
    { 'tests/store/care/verify.test.ts': ['A table that was cut off is not damage, wherever the cut falls'] },
    [
      'any 48 bytes are the end of a table',
      `${CARE}/verify/file-check.ts`,
      '!resemblesFooter(content.subarray(end))',
      'end < 0',
    ],
  ),
  ...breaking('A store with missing files is refused', { 'tests/store/level/damage.test.ts': ['without'] }, [
    'a missing file starts a new log',
    `${STORE}/directory.ts`,
    'if (store === null && head === null && log.length === 0) return null',
    'if (store === null || head === null || log.length === 0) return null',
  ]),
  ...breaking(
    'A repair does not change the damaged store',
    { 'tests/store/care/repair.test.ts': ['A repair keeps what is intact'] },
    [
      'a stream is not cut',
      `${CARE}/repair/plan.ts`,
      'const cut = intact < 0 ? facts.length : intact',
      'const cut = facts.length',
    ],
  ),
  ...breaking(
    'A repair does not change the damaged store',
    { 'tests/store/care/repair.test.ts': ['a cut stream has no work to resume'] },
    [
      'the work of a cut stream is resumed',
      `${CARE}/repair.ts`,
      '      cut: new Set(streams.map(({ stream }) => stream)),',
      '      cut: new Set(),',
    ],
  ),
  ...breaking(
    'Work resumes on a repaired store',
    { 'tests/store/care/repair.test.ts': ['A lost body is in the report, and recorded as lost'] },
    [
      'a lost body is not recorded',
      `${CARE}/repair/new-store.ts`,
      '          builder.loseBody({ sha256, bytes })\n',
      '',
    ],
  ),

  // Copies
  ...breaking('A backup is a prefix of the log', { [BACKUP]: ['ends where the log ended when it began'] }, [
    'a backup goes on beyond where it began',
    `${CARE}/archive/writer.ts`,
    'const last = Math.min(to ?? Number.POSITIVE_INFINITY, await store.head())',
    'const last = to ?? Number.POSITIVE_INFINITY',
  ]),
  ...breaking(
    'A restored or imported store equals the original',
    { [BACKUP]: ['restores to the same store'] },
    [
      'facts lose their notes',
      `${CARE}/restore.ts`,
      '  return { recorded, note, value, hash }\n',
      '  return { recorded, note: null, value, hash }\n',
    ],
  ),
  ...breaking(
    'A damaged copy is refused',
    {
      [BACKUP]: [
        'refuses %s, names the line, and leaves nothing behind',
        'refuses a file that was truncated or has a flipped bit',
      ],
    },
    [
      'a fact need not follow the one before it',
      `${CARE}/archive/reader.ts`,
      "return previousHash === expected ? null : 'it does not follow the previous fact'",
      'return expected === null ? null : null',
    ],
    [
      'the hash of a fact is not compared',
      `${CARE}/archive/reader.ts`,
      "    if (!matches) throw this.#invalid('its hash does not match', position)\n",
      '',
    ],
    [
      'the end may be missing',
      `${CARE}/archive/reader.ts`,
      "    if (!ended) throw this.#invalid('its end is missing: the file is incomplete')\n",
      '',
    ],
  ),
  ...breaking(
    'A redacted export contains no text',
    { 'tests/store/care/redacted-export.test.ts': ['no text of a fact or a summary is in it'] },
    [
      'the texts of summaries stay',
      `${CARE}/archive/redaction.ts`,
      'info: info && fields(info) })',
      'info })',
    ],
    [
      'the hash of a state stays',
      `${CARE}/archive/redaction.ts`,
      'const { state, info, ...summary } = note.summary',
      'const { info, ...summary } = note.summary',
    ],
    [
      'texts in lists stay',
      `${CARE}/archive/redaction.ts`,
      'if (isList(value)) return value.map((item) => redacted(name, item))',
      'if (isList(value)) return value',
    ],
  ),
  ...breaking(
    'Old logs stay readable, always',
    { 'tests/store/level/format-1.test.ts': ['are read as if written today'] },
    [
      'old facts are not upcast',
      'src/events/catalog.ts',
      'data = upcasts[v - 1]?.(data) ?? data',
      'data = upcasts.length > 0 && v > 0 ? data : data',
    ],
  ),
  ...breaking(
    'Identical logs have identical hashes',
    { 'tests/events/json.test.ts': ['equal values have one canonical text'] },
    [
      'the order of fields stays',
      'src/events/json.ts',
      'of Object.keys(object).sort())',
      'of Object.keys(object))',
    ],
  ),

  // Disk, files and locks
  ...breaking(
    'A full disk makes the store read-only',
    {
      'tests/store/level/write-failure.test.ts': [
        'A failed batch uses no positions',
        'A store that cannot be written can be read, and backs off',
      ],
    },
    ['writing goes on after a failed write', `${STORE}/writer.ts`, 'this.#failure = rootCause(cause)\n', ''],
  ),
  ...breaking(
    'If its directory is removed, an open store',
    { [OWNER_RECORD]: ['%s while calls run fails them at once, and closes'] },
    [
      'a removed directory is noticed by the next write alone',
      `${STORE}/store.ts`,
      '        writer.checkOwner()\n',
      '',
    ],
  ),
  ...breaking(
    'If its directory is removed, an open store',
    { 'tests/store/level/faults.test.ts': ['A store whose directory is removed while it is open'] },
    [
      'a blob brings a removed directory back',
      'src/store/file-blobs.ts',
      '{ mode: DIRECTORY_MODE }',
      '{ mode: DIRECTORY_MODE, recursive: true }',
    ],
  ),
  ...breaking(
    'If its directory is removed, an open store',
    { [OWNER_RECORD]: ['%s while calls run fails them at once, and closes'] },
    [
      'the record of another owner is removed',
      'src/owner/socket.ts',
      'if (record?.socket === this.#path) await',
      'await',
    ],
  ),
  ...breaking(
    'An owner whose lock file is removed or replaced stops',
    { 'tests/store/level/faults.test.ts': ['A store that loses its head file'] },
    [
      'a removed head file is not noticed',
      `${STORE}/store.ts`,
      'if (headFile.isGone) throw new StoreLockLost({ path: paths.base, file: paths.head })\n',
      '',
    ],
  ),
  ...breaking(
    'One owner at a time',
    { [LOCK]: ['Another process is refused while the owner lives, even if the lock files are gone'] },
    [
      'the kernel is not asked',
      `${STORE}/lock.ts`,
      "if (hold === 'taken') throw",
      'if (hold === null) throw',
    ],
  ),
  ...breaking(
    'One process at a time uses a base directory',
    { [LOCK]: ['Another process is refused a base directory also where its log is elsewhere'] },
    [
      'it is not locked for a log elsewhere',
      'src/orchestrator.ts',
      'if (options.store && !options.residency?.sharedDir) await orchestrator.#lockDirectory(options.runner)',
      '',
    ],
  ),
  ...breaking(
    'A second process is told the pid of the first',
    { [LOCK]: ['Another process is refused with the pid of the owner'] },
    ['the pid is left out', `${STORE}/lock.ts`, 'pid: pidOf(await readOwner(path)) })', 'pid: null })'],
  ),
  ...breaking(
    'An owner whose lock file is removed or replaced stops',
    { [LOCK]: ['(%s) during a write does not acknowledge it'] },
    [
      'the lock is not checked before an acknowledgement',
      `${STORE}/writer.ts`,
      '      this.#checkOwner()\n      for',
      '      for',
    ],
  ),
  ...breaking(
    'An owner whose lock file is removed or replaced stops',
    { [LOCK]: ['(%s) acknowledges nothing more'] },
    [
      'another file under its name passes',
      `${STORE}/lock.ts`,
      'return found?.ino === ino && found.dev === dev',
      'return found !== undefined && ino !== dev',
    ],
  ),
  ...breaking(
    'The lock of a dead process is ignored',
    { 'tests/store/level/takeover.test.ts': ['looks again, and finds the one that was faster'] },
    [
      'a process that takes over does not look again',
      `${STORE}/lock.ts`,
      'if (owner?.pid !== dead.pid || owner.started !== dead.started) return false',
      'if (owner === null) return false',
    ],
  ),
  ...breaking(
    'The lock of a dead process is ignored',
    { [LOCK]: ['The lock of a dead process is taken over'] },
    [
      'a pid that was reused counts as the owner',
      'src/store/process-identity.ts',
      '(started === null || started === startOf(pid))',
      "(started !== '')",
    ],
  ),
  ...breaking(
    'A record over the size limit is refused',
    { 'tests/store/level/reopening.test.ts': ['A record over the size limit is refused'] },
    [
      'any size is accepted',
      'src/store/append-request.ts',
      'if (bytes > maxRecordBytes) throw',
      'if (bytes < 0) throw',
    ],
  ),
  ...breaking(
    'A store of a newer format is refused',
    { 'tests/store/level/damage.test.ts': ['of a newer format is refused and left unchanged'] },
    [
      'any format is opened',
      `${STORE}/directory.ts`,
      '  if (format > FORMAT) throw new UnsupportedFormat({ path: paths.base, found: format, known: FORMAT })\n',
      '',
    ],
  ),
  ...breaking(
    'Files of a store are private to their user',
    { [OWNER_RECORD]: ['has a socket and a record that are private to its user'] },
    [
      'others may read its files',
      'src/store/directory.ts',
      'export const FILE_MODE = 0o600',
      'export const FILE_MODE = 0o644',
    ],
  ),

  // Agents
  ...breaking(
    'State is the fold of the facts',
    { 'tests/actors/agent/machine.test.ts': ['leads to the same state live and replayed'] },
    [
      'a fold takes a chance',
      'src/actors/agent/state.ts',
      'return { lostSession: sessionId }',
      'return { lostSession: `${sessionId} ${Math.random()}` }',
    ],
  ),
  ...breaking(
    'A task ends exactly once',
    { 'tests/actors/agent/machine.test.ts': ['ends each task exactly once, whatever happens'] },
    [
      'a cancelled task stays in the queue',
      'src/actors/agent/state.ts',
      '{ current: null } : { queue: queue.filter((queued) => queued.taskId !== taskId) }',
      '{ current: null } : { queue }',
    ],
  ),
  ...breaking(
    'A task id identifies one task',
    {
      [AGENT]: [
        'identifies one task: asked twice, it runs once and has one reply',
        'still has its reply after a restart',
      ],
    },
    [
      'a known id is a new task',
      'src/actors/agent/tasks/tasks.ts',
      'return `task/${this.#agent}/${taskId}`',
      'return `task/${this.#agent}/${taskId}/${this.#environment.newId()}`',
    ],
  ),
  ...breaking('A task id identifies one task', { [AGENT]: ['cannot be used for another task'] }, [
    'another task under a known id gets the old reply',
    'src/actors/agent/tasks/tasks.ts',
    'if (!isSameTask(accepted.data, data)) throw',
    'if (taskId.length === 0) throw',
  ]),
  ...breaking(
    'One task at a time, in the order asked',
    { [AGENT]: ['does one task at a time, in the order in which they were asked'] },
    [
      'the newest task is first',
      'src/actors/agent/state.ts',
      '({ queue: [...queue, { cause, ...task }] })',
      '({ queue: [{ cause, ...task }, ...queue] })',
    ],
  ),
  ...breaking(
    'A task whose text is lost fails immediately',
    { 'tests/actors/engine/lost-bodies.test.ts': ['A task whose prompt is lost fails at once'] },
    [
      'a lost text is an effect that failed',
      'src/actors/agent/worker.ts',
      'if (!(error instanceof ClaudeAgentError) || error.retryable) throw error',
      'if (error !== null) throw error',
    ],
  ),
  ...breaking(
    'A deadline holds',
    {
      [AGENT]: [
        'fails at its deadline during a call, and the call is terminated',
        'fails at its deadline while it waits to retry',
      ],
    },
    [
      'a deadline has no effect',
      'src/actors/agent/decisions.ts',
      'return current.leftMs === null ? [retry, deadline] : [retry]',
      'return [retry]',
    ],
  ),
  ...breaking(
    'A deadline counts the task’s own time',
    { [GOVERNOR]: ['do not lose time between two attempts either'] },
    [
      'the wait for admission counts',
      'src/actors/agent/decisions.ts',
      'current.leftMs ?? deadlineLeftMs(current, config, now - idleMs)',
      'current.leftMs ?? deadlineLeftMs(current, config, now)',
    ],
  ),
  ...breaking(
    'A deadline counts the task’s own time',
    {
      'tests/actors/agent/downtime.test.ts': [
        'a task that its process left in a call, or between two, has its time when the next process takes it up',
      ],
    },
    [
      'the time between two processes counts',
      'src/actors/agent/deadline.ts',
      'resumed ? now - began : 0',
      '0',
    ],
  ),
  ...breaking(
    'A deadline counts the task’s own time',
    { [ACCOUNT_WAITS]: ['gives the time of a refused call back to its task'] },
    ['the time of a refused call is lost', 'src/actors/agent/waits.ts', 'leftMs + START_MS)', 'leftMs)'],
    [
      'more than a minute is given back',
      'src/actors/agent/waits.ts',
      'const START_MS = 60_000',
      'const START_MS = 600_000',
    ],
  ),
  ...breaking(
    'A rate limit delays tasks and fails none of them',
    {
      [ACCOUNT_WAITS]: [
        'makes the task wait, longer each time',
        'does not use up retries for later failures',
      ],
    },
    [
      'a refusal counts as a retry',
      'src/actors/agent/state.ts',
      'excused: current.excused + (because === undefined ? 0 : 1),',
      'excused: current.excused,',
    ],
  ),
  ...breaking(
    'A rate limit delays tasks and fails none of them',
    { [GOVERNOR]: ['pauses an account that refuses single calls twice as long each time'] },
    [
      'pauses are not doubled',
      'src/actors/admission/governor.ts',
      'FIRST_PAUSE_MS * 2 ** (refusals - 1)',
      'FIRST_PAUSE_MS',
    ],
    [
      'pauses have no end',
      'src/actors/admission/governor.ts',
      'Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (refusals - 1))',
      'FIRST_PAUSE_MS * 2 ** (refusals - 1)',
    ],
    [
      'an answer does not begin anew',
      'src/actors/admission/governor.ts',
      '    refusals: 0,\n    limit: isUsed',
      '    limit: isUsed',
    ],
  ),
  ...breaking(
    'A rate limit delays tasks and fails none of them',
    { [ACCOUNT_WAITS]: ['gets one call at a time after a restart'] },
    [
      'a restart forgets refusals',
      'src/actors/agent/worker.ts',
      'if (context.resumed && task.refusals > 0) admission',
      'if (context.resumed && task.refusals > 1e9) admission',
    ],
    [
      'a restart begins with any number',
      'src/actors/admission/governor.ts',
      'limit: Math.min(account.limit, 1), era: 1 }',
      'era: 1 }',
    ],
  ),
  ...breaking(
    'Scheduling is fair',
    { [GOVERNOR]: ['gives each agent its turn, and all copies of an agent one together'] },
    [
      'an agent keeps its turn',
      'src/actors/admission/governor.ts',
      '      this.#lines.delete(owner)\n      if (line',
      '      if (line.length === 0) this.#lines.delete(owner)\n      if (line',
    ],
    ['each copy has a turn', 'src/actors/admission/governor.ts', "agent.split('.', 1)[0] ?? agent", 'agent'],
  ),
  ...breaking(
    'A full mailbox refuses before anything is written',
    { [GOVERNOR]: ['refuses at once with a hint; queued tasks are durable and get done'] },
    [
      'a mailbox has no limit',
      'src/actors/agent/tasks/known-tasks.ts',
      '  if (queue.length + (current ? 1 : 0) >= mailbox) return new MailboxFullError({ agent, mailbox })\n',
      '',
    ],
  ),
  ...breaking(
    'Timers survive a restart',
    { [RECOVERY]: ['a retry is due at its recorded time, neither earlier nor later'] },
    [
      'a retry is made at once',
      'src/actors/agent/waits.ts',
      'context.pause(retryLeftMs(task, config, clock.now()))',
      'context.pause(0)',
    ],
  ),
  ...breaking(
    'Reading has no side effects',
    { [RECOVERY]: ['looking at the agent on demand has no effect; asking it does'] },
    [
      'a loaded agent starts',
      'src/actors/agent/system.ts',
      "    if (agent.status !== 'absent') return agent\n    throw new AgentNotFoundError(",
      "    agent.start()\n    if (agent.status !== 'absent') return agent\n    throw new AgentNotFoundError(",
    ],
  ),
  ...breaking(
    'A snapshot is a cache',
    { 'tests/actors/engine/snapshots.test.ts': ['that cannot be saved or read is ignored'] },
    [
      'one that cannot be loaded stops its actor',
      'src/actors/engine/history.ts',
      'await foldSnapshot(kind, store, stream).catch(() => undefined)',
      'await foldSnapshot(kind, store, stream)',
    ],
  ),
  ...breaking(
    'A snapshot is a cache',
    { 'tests/actors/engine/snapshots.test.ts': ['of another fold is not used'] },
    [
      'a snapshot of another machine is used',
      'src/actors/engine/history.ts',
      'if (saved?.fingerprint !== kind.fingerprint) return',
      'if (!saved) return',
    ],
  ),

  // Calls
  ...breaking(
    'An answer that was paid for is not paid for again',
    {
      [RECOVERY]: [
        'an answer that was paid for is harvested: no second call',
        'an answer counts even if the deadline has passed in the meantime',
      ],
    },
    [
      'what became of a call is not looked up',
      'src/actors/agent/worker.ts',
      'const isDone = context.resumed && (await',
      'const isDone = context.resumed && effect.key.length === 0 && (await',
    ],
  ),
  ...breaking(
    'A call with an unknown outcome is recorded as such',
    { [RECOVERY]: ['a call without an answer is recorded as unknown and retried'] },
    [
      'an unknown outcome counts as unsent',
      'src/actors/agent/call.ts',
      "    case 'unanswered':\n      return {",
      "    case 'unanswered':\n      if (recovered !== null) return undefined\n      return {",
    ],
  ),
  ...breaking(
    'A call that was never sent is sent again under its own ids',
    { [RECOVERY]: ['a call that was never sent is sent again under the same ids'] },
    [
      'a call that was never sent is unknown',
      'src/actors/agent/call.ts',
      "    case 'unsent':\n      return undefined",
      "    case 'unsent':\n      return { type: 'CallOutcomeUnknown', error: callErrorData(new OutcomeUnknownError()) }",
    ],
  ),
  ...breaking(
    'A call that began elsewhere is never made again without a word',
    { 'tests/actors/agent/elsewhere.test.ts': ['has an unknown outcome'] },
    [
      'what is not here was never sent',
      'src/actors/agent/call.ts',
      "isGone && found.outcome === 'unsent' ? UNANSWERED : found",
      'found',
    ],
  ),
  ...breaking(
    'A transcript does not change once it is answered',
    { [AGENT]: ['continues its session chain: each call forks the answer before it'] },
    [
      'a call continues no session',
      'src/actors/agent/decisions.ts',
      '{ chain: session, run:',
      '{ chain: null, run:',
    ],
  ),
  ...breaking(
    'Losing a transcript does not lose the conversation',
    { [ACCOUNT_WAITS]: ['is rebuilt: the next call begins a new one with the conversation so far'] },
    [
      'a lost session is begun without its conversation',
      'src/actors/agent/call.ts',
      "prompt: `${before?.text ?? ''}${messagesAsText",
      'prompt: `${messagesAsText',
    ],
  ),
  ...breaking(
    'One bad block does not end a conversation',
    { [ACCOUNT_WAITS]: ['is rebuilt as well after %s', 'is rebuilt once only'] },
    [
      'a rejected request ends the task',
      'src/actors/agent/decisions.ts',
      "fault === 'session' || rejectsRequest(error)",
      "fault === 'session'",
    ],
    [
      'it is rebuilt without end',
      'src/actors/agent/decisions.ts',
      '(call?.rebuilt ? null : call?.parentSessionId) ?? null',
      'call?.parentSessionId ?? null',
    ],
  ),
  ...breaking(
    'An answer is never lost because of a number',
    {
      'tests/claude/recordable.test.ts': [
        'any result with a text can be recorded',
        '1,300 denied tool uses and names of a megabyte are cut',
      ],
    },
    [
      'a negative number passes',
      'src/claude/recordable.ts',
      'Math.min(Math.max(0, value), largest)',
      'Math.min(value, largest)',
    ],
    [
      'a fraction of a token passes',
      'src/claude/recordable.ts',
      'Math.ceil(amount(value, LARGEST_COUNT))',
      'amount(value, LARGEST_COUNT)',
    ],
    ['any number of denials passes', 'src/claude/recordable.ts', '      .slice(0, MOST_DENIALS)\n', ''],
  ),
  ...breaking(
    'What listeners receive adds up to the answer',
    { 'tests/actors/agent/messages.test.ts': ['what a failed call has said is taken back'] },
    [
      'nothing is taken back',
      'src/actors/agent/worker.ts',
      '    this.#asked.channel.takeBack(effect.task.taskId)\n',
      '',
    ],
  ),
  ...breaking(
    'What a tool reads never costs an answer',
    { 'tests/claude/stream/long-lines.test.ts': ['what no call needs may be of any length'] },
    [
      'a long line of a tool counts',
      'src/claude/stream/parser.ts',
      "return SILENT.has(type) || SPOKEN.has(type) ? 'skip' : 'count'",
      "return SPOKEN.has(type) ? 'skip' : 'count'",
    ],
  ),
  ...breaking(
    'No process is left behind',
    { [CALL_RECOVERY]: ['a process that reused the pid is left alone'] },
    [
      'any process with the pid is ended',
      'src/claude/recovery.ts',
      'return environment === null || environment.get(CALL_MARKER) === call.callId',
      'return environment === null || environment.size >= 0',
    ],
  ),
  ...breaking(
    'No process is left behind',
    {
      'tests/claude/process/processes.test.ts': [
        'a sweep kills the processes with the marker of a call',
        'a sweep of a base directory spares the calls to keep',
        'a sweep spares the sweeping process',
      ],
    },
    [
      'a sweep kills nothing',
      'src/claude/process/termination.ts',
      '    await killAll(doomed, context)\n',
      '',
    ],
    [
      'a sweep spares no call',
      'src/claude/process/termination.ts',
      "(keep.has(markers.get(CALL_MARKER) ?? '') ? kept : marked)",
      '(keep.size < 0 ? kept : marked)',
    ],
    [
      'a sweep spares no ancestor',
      'src/claude/process/termination.ts',
      'new Set([...ancestorsOf(process.pid, entries), process.pid])',
      'new Set<number>()',
    ],
  ),
  ...breaking(
    'Whatever an agent made is removed with it',
    {
      'tests/actors/agent/removal.test.ts': [
        'a removal is recorded when the files are gone',
        'an agent under a name used before gets none of the files',
      ],
    },
    ['files stay', 'src/actors/agent/system.ts', '      await runner.discard?.(directories(id))\n', ''],
    [
      'a new agent gets what an old one left',
      'src/actors/agent/system.ts',
      '    if (agent.version > 0) await runner.discard?.(directories(agent.id))\n',
      '',
    ],
  ),

  // Budgets, approvals, late answers
  ...breaking(
    'No call starts without room in its budgets',
    { [BUDGETS]: ['hold the second task without a request', 'of zero holds everything'] },
    [
      'everything fits',
      'src/actors/admission/budget-arithmetic.ts',
      'left === null || (left > 0 && needed <= left)',
      'left === null || needed >= 0',
    ],
  ),
  ...breaking(
    'No call starts without room in its budgets',
    { [BUDGETS]: ['The next call is estimated at the mean', 'but not at the cost of its last one'] },
    [
      'the last call does not count',
      'src/actors/admission/budget-arithmetic.ts',
      'largest([mean, lastCost ?? mean, minimum])',
      'largest([mean, minimum])',
    ],
  ),
  ...breaking(
    'A task that does not fit is held without a request',
    { [BUDGETS]: ['hold it across a restart that raises the budget'] },
    [
      'a raised budget is not noticed',
      'src/actors/agent/decisions.ts',
      "...(queue.some(isHeldForMoney) ? [{ key: BEGIN_HELD, type: 'begin' } as const] : []),",
      '',
    ],
  ),
  ...breaking(
    'Each call is reserved and settled once',
    {
      'tests/actors/admission/budget-crashes.test.ts': [
        'stopped at any append, each is reserved, settled and answered once',
      ],
    },
    [
      'nothing is reserved',
      'src/actors/admission/budget-ledger.ts',
      "value === 'limited' && !isRefused ? [{ type: 'BudgetReserved', data: reservation }] : []",
      "value === 'limited' && reservation.callId === '' ? [{ type: 'BudgetReserved', data: reservation }] : []",
    ],
  ),
  ...breaking(
    'Each call is reserved and settled once',
    { [BUDGETS]: ['hold the second task without a request'] },
    [
      'a settled call costs nothing',
      'src/actors/admission/budget-ledger.ts',
      'data: { callId, ...settlement } }',
      'data: { callId, ...settlement, usd: 0 } }',
    ],
  ),
  ...breaking(
    'A reservation is made in all applicable budgets or in none',
    { [BUDGETS]: ['of several scopes is reserved in all of them or in none'] },
    [
      'only one budget counts',
      'src/actors/admission/budgets.ts',
      'Promise.all(ledgers.map((ledger) => ledger.reserve(reservation)))',
      'Promise.all(ledgers.slice(0, 1).map((ledger) => ledger.reserve(reservation)))',
    ],
  ),
  ...breaking(
    'Two processes may spend from one budget',
    { 'tests/actors/admission/shared-budgets.test.ts': ['starve nobody', 'notice that another process'] },
    [
      'what another process gives back is not noticed',
      'src/actors/admission/budgets.ts',
      '    if (!signal.aborted) this.#notify()\n',
      '',
    ],
  ),
  ...breaking(
    'Two processes may spend from one budget',
    { 'tests/actors/admission/shared-budgets.test.ts': ['do not both take the last room, if one of them'] },
    [
      'what another process has taken is not noticed',
      'src/actors/admission/budget-ledger.ts',
      "isRefused = value === 'limited' && !fits(",
      "isRefused = value === 'none' && !fits(",
    ],
  ),
  ...breaking(
    'A task that needs approval waits durably',
    {
      'tests/actors/agent/approvals.test.ts': [
        'is held, lets later tasks pass',
        'waits across a restart without a request',
      ],
    },
    [
      'a hold has no effect',
      'src/actors/agent/state.ts',
      '(queued.taskId === taskId ? { ...queued, hold } : queued)',
      '(queued.taskId === taskId ? { ...queued, ...(hold.reason === null && { hold }) } : queued)',
    ],
    [
      'a hold is not written',
      'src/actors/agent/tasks/tasks.ts',
      "    if (hold) facts.push({ type: 'TaskHeld', data: { taskId, hold } })\n",
      '',
    ],
  ),
  ...breaking(
    'A late answer is recorded and its cost counted',
    {
      'tests/actors/agent/late-answers.test.ts': [
        'was cancelled is kept with its text and its cost',
        'timed out is kept as well',
      ],
    },
    [
      'a late answer is dropped',
      'src/actors/agent/worker.ts',
      'if (!context.isWanted) return this.#endings.late(effect, ending, admitted)',
      'if (!context.isWanted) return',
    ],
    [
      'its cost does not count',
      'src/actors/agent/state.ts',
      '    totals: withSpending(totals, data),\n    deadLetters',
      '    totals: withSpending(totals, { ...data, costUsd: 0 }),\n    deadLetters',
    ],
  ),
  ...breaking(
    'What a call cost counts when another process ends its task',
    {
      'tests/actors/agent/late-answers.test.ts': [
        'after its supervisor had stopped the agent',
        'and its agent has only been looked at since another process began it',
      ],
    },
    [
      'what nobody carries out is forgotten',
      'src/actors/agent/agent.ts',
      'if (abandoned.length === 0 || actor.isWorking || actor.closed) return recorded',
      'if (recorded) return recorded',
    ],
    [
      'what a halted call told is forgotten',
      'src/actors/agent/call-endings.ts',
      'leftOpen.set(callId, ending)',
      'leftOpen.delete(callId)',
    ],
  ),
  ...breaking(
    'An answer can be watched while it is written',
    {
      'tests/remote/drafts.test.ts': [
        'a reader gets what the answer has by then',
        'what a failed call has said is taken back',
      ],
    },
    [
      'a late reader gets only what comes',
      'src/actors/agent/tasks/channel.ts',
      'read.isOver ? read.text.length : undefined',
      'read.text.length',
    ],
    [
      'what a failed call has said stays',
      'src/actors/agent/tasks/channel.ts',
      'taskId === drafted && characters > 0',
      'taskId === drafted && characters > 1e9',
    ],
  ),
  ...breaking(
    'A call whose task ended first has an outcome of its own, once',
    { 'tests/actors/agent/late-answers.test.ts': ['the next one finds out, once, that its call %s'] },
    [
      'the next process does not look for it',
      'src/actors/agent/list.ts',
      'queue.length + abandoned.length + heldMessages > 0 ||',
      'queue.length + heldMessages > 0 ||',
    ],
    [
      'it is recorded again by each process',
      'src/actors/agent/state.ts',
      '...(!isFree(data) && { totals: withSpending(totals, data, 1) }),\n    ...without(abandoned, data.callId),',
      '...(!isFree(data) && { totals: withSpending(totals, data, 1) }),',
    ],
    [
      'its reservation is settled before it has ended',
      'src/actors/admission/budget-settlement.ts',
      ' && fact.data.taskId === taskId && !fact.data.running)',
      ' && fact.data.taskId === taskId)',
    ],
  ),
  ...breaking(
    'A call whose task ended first has an outcome of its own, once',
    {
      'tests/actors/agent/late-answers.test.ts': ['what its call had cost counts for its run as well, once'],
    },
    [
      'its run is not told',
      'src/actors/agent/call-endings.ts',
      'await this.#environment.spentLate(',
      'if (spent === null) await this.#environment.spentLate(',
    ],
  ),

  // Supervision
  ...breaking(
    'A tree follows OTP',
    { [SUPERVISOR]: ['restarts the children started after the one that ended'] },
    [
      'rest-for-one restarts all',
      'src/actors/supervision/decisions.ts',
      'filter(({ order }) => order >= child.order)',
      'filter(({ order }) => order >= 0)',
    ],
  ),
  ...breaking(
    'Restarts are bounded',
    {
      [SUPERVISOR]: [
        'with intensity 2 ends at the third restart, together with its children',
        'escalates up to the root',
      ],
    },
    [
      'one restart more is allowed',
      'src/actors/supervision/restart-intensity.ts',
      'recent.length > maxRestarts }',
      'recent.length > maxRestarts + 1 }',
    ],
  ),
  ...breaking(
    'A tree survives a restart of the program',
    {
      [SUPERVISOR]: ['a tree resumes from the log: terminated children, counted restarts, pending restarts'],
    },
    [
      'restarts are not counted across programs',
      'src/actors/supervision/restart-intensity.ts',
      'stamps.filter((stamp) => stamp >= now - withinMs)',
      'stamps.filter((stamp) => stamp >= now)',
    ],
  ),

  // History
  ...breaking(
    'Verification detects a modified log',
    { 'tests/history/verify-replay.test.ts': ['a snapshot or a state that differs is named'] },
    [
      'states are not compared',
      'src/history/verify-replay.ts',
      'const isSame = canonicalJson(replayed) === canonicalJson(recorded)',
      'const isSame = canonicalJson(replayed) === canonicalJson(recorded) || replayed !== undefined',
    ],
  ),
  ...breaking(
    'Metrics agree with the log',
    { 'tests/history/metrics.test.ts': ['count the steps of runs by outcome'] },
    [
      'a cancelled step counts as failed',
      'src/history/metrics.ts',
      "cancelled ? 'cancelled' : 'failed'",
      "cancelled ? 'failed' : 'failed'",
    ],
  ),
  ...breaking(
    'Keys and tokens are redacted',
    { 'tests/events/secrets/values.test.ts': ['is redacted %s', '%j is printed as %j'] },
    ['tokens of services stay', 'src/events/secrets/redaction.ts', '{12,}`', '{1200,}`'],
    [
      'values under telling names stay',
      'src/events/secrets/redaction.ts',
      '`((?:${SECRET_WORDS})(?:',
      '`((?:no such word)(?:',
    ],
  ),
  ...breaking(
    'Keys and tokens are redacted',
    { 'tests/claude/worst-text.test.ts': ['%s: no pattern sees more than we look at'] },
    [
      'all of a long text is searched',
      'src/events/secrets/redaction.ts',
      'if (text.length <= LONGEST_LOOKED_AT) return text',
      'if (text.length >= 0) return text',
    ],
  ),
  ...breaking(
    'Statistics',
    { 'tests/history/causes.test.ts': ['half of the answers took at most p50'] },
    [
      'p95 is another share',
      'src/history/statistics.ts',
      'percentile(sorted, 0.95)',
      'percentile(sorted, 0.9)',
    ],
    [
      'p50 is another share',
      'src/history/statistics.ts',
      'percentile(sorted, 0.5)',
      'percentile(sorted, 0.4)',
    ],
    [
      'times are not sorted',
      'src/history/statistics.ts',
      'times.sort((one, other) => one - other)',
      'times.sort()',
    ],
  ),

  // Workflow runs
  ...breaking(
    'An answered step is not asked again',
    { 'tests/patterns/runs/crash-sweep.test.ts': ['a pipeline of parallel of agents'] },
    [
      'a step that a crash interrupted is another task',
      'src/patterns/runs/durable-ask.ts',
      'this.taskId = isOpen ? before.taskId : `${context.runId}.${step.stepKey}.${this.#tries}`',
      'this.taskId = `${context.runId}.${step.stepKey}.${this.#tries + (isOpen ? 1 : 0)}`',
    ],
  ),
  ...breaking(
    'A run keeps its answers',
    {
      'tests/patterns/runs/answers.test.ts': ['A run has the answers that its agents recorded'],
      [RUNS]: ['asks again only the changed steps'],
    },
    [
      'what its agents recorded is not read',
      'src/patterns/runs/recorded-answers.ts',
      "if (!step || typeof data.answer !== 'number') continue",
      "if (!step || typeof data.answer !== 'bigint') continue",
    ],
  ),
  ...breaking(
    'A run keeps its answers',
    { 'tests/patterns/runs/answers.test.ts': ['Compaction keeps the answers of a run that has ended'] },
    [
      'compaction drops them',
      'src/actors/agent/retention.ts',
      "      if (type === 'CallSucceeded' && answers.has(key)) return undefined\n",
      '',
    ],
  ),
  ...breaking('An answered step is not asked again', { [RUNS]: ['asks again only the changed steps'] }, [
    'answers in the log are not used',
    'src/patterns/runs/durable-ask.ts',
    "if (step?.state !== 'succeeded' || text === undefined) return undefined\n    this.#context",
    "if (step?.state !== 'succeeded' || text === undefined || ask > 0) return undefined\n    this.#context",
  ]),
  ...breaking(
    'One run id is one run',
    {
      [RUNS]: [
        'is one run, however often it is started',
        'stands for one input: another input is refused before any call',
      ],
    },
    [
      'a run is started again',
      'src/patterns/runs/runs.ts',
      '    if (active) return active.run\n    const place',
      '    const place',
    ],
    [
      'another input passes',
      'src/patterns/runs/runs.ts',
      'if (context.input && !isSameInput(context.input, input)) throw',
      'if (context.input && id.length === 0) throw',
    ],
  ),
  ...breaking(
    'A changed workflow re-runs the changed steps',
    { [RUNS]: ['asks again the steps of an agent that was recreated with another system prompt'] },
    [
      'a changed agent is the same',
      'src/patterns/runs/step-key.ts',
      '`${digest([content, fingerprint])}.${occurrence}`',
      '`${digest([content, fingerprint.length])}.${occurrence}`',
    ],
  ),
  ...breaking(
    'A decided race does not restart its losers',
    { [RUNS]: ['starts no loser of a decided race'] },
    [
      'what is no longer needed is not stopped',
      'src/patterns/runs/durable-ask.ts',
      'return () => this.#lose(interest)',
      'return () => {}',
    ],
  ),
  ...breaking(
    'Pool copies are removed when their run has ended',
    { 'tests/patterns/runs/crash-sweep.test.ts': ['a map over a pool, whose copies are gone afterwards'] },
    [
      'copies stay',
      'src/patterns/runs/workers.ts',
      'await this.#agents.removeCopies(agent, this.#run, (copy) => this.#use.has(copy))',
      'void agent',
    ],
  ),

  // Configuration
  ...breaking(
    'A configuration file is refused for what the commands refuse, and for nothing else',
    { 'tests/config/same-rules.test.ts': ['The file has a supervision tree'] },
    [
      'the rules of a tree are left to its start',
      'src/config/configuration.ts',
      '      checkSupervisor(tree, supervisors)\n',
      '',
    ],
  ),
  ...breaking(
    'A configuration file is refused for what the commands refuse, and for nothing else',
    { 'tests/config/same-rules.test.ts': ['A blank prompt of a workflow'] },
    [
      'an empty prompt is left to the run',
      'src/config/workflow-definition.ts',
      'Schema.NullOr(NotBlank)',
      'Schema.NullOr(Schema.String)',
    ],
  ),

  // Other processes
  ...breaking(
    'A task asked through another process finishes even if its client dies',
    { 'tests/remote/orchestrator.test.ts': ['continues when the process that asked dies'] },
    [
      'a task ends with its client',
      'src/owner/socket.ts',
      '      const lines = new LineWriter(response)\n',
      "      const lines = new LineWriter(response)\n      const { agent, taskId } = parseBody(body) as TaskRequest\n      response.once('close', () => void this.#commands.command({ agent, method: 'cancel', args: [taskId, 'gone'] }))\n",
    ],
  ),
  ...breaking(
    'An owner that drains finishes what other processes asked',
    {
      'tests/remote/orchestrator.test.ts': ['waits for the tasks of other processes, and not for followers'],
    },
    ['their tasks are not counted', 'src/owner/socket.ts', 'this.#writes.add(done)', ''],
  ),
  ...breaking(
    'A task that is left (`--detach`) is durable before its id is known',
    { 'tests/cli/service/detach.test.ts': ['goes on in the background when that command is told to end'] },
    [
      'a command that ends forgets it',
      'src/cli/session.ts',
      'if (await othersServed(session.orchestrator, interruption, screen)) leave()',
      'await othersServed(session.orchestrator, interruption, screen)',
    ],
  ),
  ...breaking(
    'A run outlives the client that asked for it, and ends when all who asked for it interrupt it',
    { 'tests/remote/runs.test.ts': ['continues while others want it'] },
    [
      'the first interruption ends it',
      'src/owner/served-commands.ts',
      'if (asked.askers > 0 && !forAll) return false',
      '',
    ],
  ),
  ...breaking(
    'A workflow that is run through the owner has the steps, the result and the errors that it has there',
    { 'tests/remote/runs.test.ts': ['is not begun if the owner sees another version of it'] },
    [
      'they are not compared',
      'src/owner/served-commands.ts',
      '      if (!begun) await this.#assertSame(request)\n',
      '',
    ],
  ),
  ...breaking(
    'An owner whose own work has ended serves the clients that it has done something for',
    { 'tests/owner/presence.test.ts': ['A client that something was done for is served'] },
    ['they are not waited for', 'src/owner/socket.ts', ' || this.#present.size > 0', ''],
    [
      'they do not say that they are there',
      'src/remote/client.ts',
      'this.#staying ??= this.#stay()',
      'this.#staying ??= Promise.resolve()',
    ],
  ),
  ...breaking(
    'An owner whose own work has ended serves the clients that it has done something for',
    { 'tests/owner/presence.test.ts': ['A client that asks for no change any more'] },
    [
      'a look keeps it',
      'src/owner/socket.ts',
      'if (!READING_COMMANDS.has(command.method)) this.#asked++',
      'this.#asked++',
    ],
  ),
  ...breaking(
    'An owner whose own work has ended serves the clients that it has done something for',
    { 'tests/cli/session.test.ts': ['What an owner did for a command is read'] },
    [
      'only the owner is asked',
      'src/cli/session.ts',
      'if (session.owner === null || !isOwnersEnd(error)) throw error',
      'if (error) throw error',
    ],
  ),
  ...breaking(
    'Clients of all kinds work beside a service at once',
    { 'tests/cli/service/detach.test.ts': ['ten clients of different kinds at once beside a service'] },
    [
      'a run ends with its client',
      'src/owner/served-commands.ts',
      'if (gone.aborted) this.#leave((onHeld) => left()?.(onHeld) ?? telling)',
      'if (gone.aborted) own.stop.abort()',
    ],
  ),
  ...breaking(
    'An owner that does not answer is named',
    { 'tests/cli/service/detach.test.ts': ['an owner that does not answer is named'] },
    ['its age is not told', 'src/remote/client.ts', '}${age}`', '}`'],
  ),
  ...breaking(
    'An owner that is stopping says so and accepts nothing',
    { 'tests/remote/orchestrator.test.ts': ['accepts no task, and says so'] },
    [
      'it does not say so',
      'src/owner/socket.ts',
      'return this.#isClosing || (this.#owned.isStopping?.() ?? false)',
      'return this.#isClosing',
    ],
  ),
  ...breaking(
    '`owner.json` is trusted only if this user alone can have written it',
    { [OWNER_RECORD]: ['A record is not trusted'] },
    [
      'others may write it',
      'src/owner/record.ts',
      "    if (process.getuid && (found.mode & 0o077) !== 0) throw refused('other users have access to it')\n",
      '',
    ],
    ['it may be a link', 'src/owner/record.ts', '(constants.O_NOFOLLOW ?? 0)', '0'],
    [
      'its socket may be in a public directory',
      'src/owner/socket-directory.ts',
      "    if (!isPrivateDirectory(lstatSync(directory)))\n      return 'the directory of its socket is not private to this user'\n",
      '',
    ],
    ['its owner may be another one', 'src/owner/record.ts', 'if (!found.isFile())', 'if (found.size < 0)'],
  ),
  ...breaking(
    'The owner bounds what it takes',
    { 'tests/owner/limits.test.ts': ['A request that is too large is refused'] },
    ['a request of any size is read', 'src/owner/answers.ts', '    if (bytes > most) return null\n', ''],
  ),
  ...breaking(
    'The owner bounds what it takes',
    { 'tests/owner/limits.test.ts': ['Connections are bounded'] },
    [
      'any number of connections is taken',
      'src/owner/socket.ts',
      'this.#connections.size >= MOST_CONNECTIONS',
      'false',
    ],
  ),
  ...breaking(
    'No client holds up another one, or the end of the owner',
    { 'tests/owner/limits.test.ts': ['A client that stops %s holds up no other client'] },
    [
      'half of a request counts as work',
      'src/owner/socket.ts',
      '    const body = await readBody(request)\n',
      '    const body = await this.#written(readBody(request))\n',
    ],
  ),
  ...breaking(
    'No client holds up another one, or the end of the owner',
    { 'tests/owner/limits.test.ts': ['A client that stops %s holds up no other client'] },
    [
      'a task lasts until its reply is read',
      'src/owner/served-commands.ts',
      'send({ reply: await handle })',
      'await lines.write({ reply: await handle })',
    ],
  ),
  ...breaking(
    'The second signal ends at once',
    { 'tests/shutdown.test.ts': ['a second signal closes at once'] },
    [
      'a second signal is ignored',
      'src/shutdown.ts',
      '      const isRepeated = isAsked\n',
      '      const isRepeated = isAsked\n      if (isRepeated) return\n',
    ],
  ),

  ...breaking(
    'A call that changes a file is shown with what it would change in it',
    {
      'tests/inbox/line-patch.test.ts': [
        'whatever two texts are, the patch makes one of the other, and is empty only if they are equal',
      ],
      'tests/inbox/proposed-change.test.ts': [
        'a file that is written, edited or made is shown as a patch, by any of its paths',
        'nothing but a regular file in the workspace is read, and nothing is waited for',
        'names and texts are made visible, and what is long is cut',
      ],
      'tests/cli/inbox/entry-lines.test.ts': [
        'hidden characters of a call are shown as escapes, in its input and in its patch',
      ],
    },
    [
      'a patch leaves out the lines that are added',
      'src/inbox/line-patch.ts',
      "if (kind !== 'same') isShown",
      "if (kind === 'removed') isShown",
    ],
    [
      'a link is read as the text of its target',
      'src/inbox/proposed-change.ts',
      "if (content.mode === '120000')",
      "if (content.mode === '100755')",
    ],
    [
      'the path may lead out of the workspace',
      'src/inbox/proposed-change.ts',
      'if (isOutside(path)) throw',
      "if (path === '') throw",
    ],
    [
      'hidden characters of a file stay hidden',
      'src/inbox/proposed-change.ts',
      '`${visible(text.slice(0, LONGEST_LINE))}',
      '`${text.slice(0, LONGEST_LINE)}',
    ],
    [
      'hidden characters of an input are left out',
      'src/cli/inbox/entry-lines.ts',
      'escapedJson(JSON.stringify(input, null, 2))',
      'JSON.stringify(input, null, 2)',
    ],
  ),
  // The inspector
  ...breaking(
    'The inspector serves its own page only',
    {
      'tests/inspector/access.test.ts': [
        'nothing is served without the key',
        'an unexpected Host header is refused',
        'a page of another origin is refused',
        'every method but GET is refused',
        'large ones are clamped',
      ],
    },
    [
      'no token is needed',
      'src/inspector/guard.ts',
      'if (given.some((one) => one !== null && equal(one, token))) return null',
      'if (given.length > 0) return null',
    ],
    [
      'any host name passes',
      'src/inspector/guard.ts',
      "if (!hosts.includes(headers.host ?? ''))",
      'if (hosts.length === 0)',
    ],
    [
      'any origin passes',
      'src/inspector/guard.ts',
      'if (origin !== undefined && !hosts.some((host) => origin === `http://${host}`)) {',
      'if (origin !== undefined && hosts.length === 0) {',
    ],
    [
      'any method passes',
      'src/inspector/guard.ts',
      "if (method !== 'GET' && !isForm) {",
      "if (method === '') {",
    ],
  ),
  ...breaking(
    'What the page of the inspector does is done once, by the owner, and the log says who did it.',
    {
      'tests/inspector/acts/hostile.test.ts': [
        'a form without the key, from elsewhere, or of another kind does nothing',
        'a form that is sent again does nothing, and gets the first answer',
        'a form of another inspector, or of none, does nothing',
        'an inspector that is read-only accepts no form',
      ],
      'tests/inspector/acts/acts.test.ts': [
        'a cancelled task that another process waits for names who cancelled it',
      ],
    },
    [
      'a form needs no origin',
      'src/inspector/guard.ts',
      'if (isForm && (origin === undefined || (site',
      'if (isForm && ((site',
    ],
    [
      'a form is of any kind',
      'src/inspector/guard.ts',
      "if (isForm && !/^application\\/json(;|$)/.test(headers['content-type'] ?? ''))",
      'if (isForm && port < 0)',
    ],
    [
      'the key of a form is in its URL',
      'src/inspector/guard.ts',
      "isForm ? null : url.searchParams.get('token'),",
      "url.searchParams.get('token'),",
    ],
    [
      'a form is carried out whenever it is sent',
      'src/inspector/acts/forms.ts',
      'const answer = sent ?? act()',
      'const answer = act()',
    ],
    [
      'any form is open',
      'src/inspector/acts/forms.ts',
      'if (sent === undefined) return',
      "if (id === '') return",
    ],
    [
      'a read-only inspector takes forms',
      'src/inspector/server.ts',
      'acts: acting.isReadOnly ? null : ACT',
      'acts: ACT',
    ],
    [
      'a task is cancelled by whoever asked for it',
      'src/owner/served-commands.ts',
      "    const result = await callCommand(target, method, args)\n    const aborted = agent !== null && method === 'cancel' && this.#abort(agent, args)\n",
      "    const aborted = agent !== null && method === 'cancel' && this.#abort(agent, args)\n    const result = await callCommand(target, method, args)\n",
    ],
  ),
  ...breaking(
    'The address of an inspector is the same each time',
    {
      'tests/inspector/address.test.ts': [
        'is the same each time, and another one for another directory',
        'is kept where only the user can read it',
      ],
    },
    [
      'each start has a new key',
      'src/inspector/address.ts',
      'newKey || kept === null ? newToken()',
      "newKey || kept?.token !== '' ? newToken()",
    ],
    [
      'all directories have the same address',
      'src/inspector/address.ts',
      '.update(await realpath(baseDir).catch(() => baseDir))',
      '.update((await realpath(baseDir)).slice(0, 1))',
    ],
    [
      'others can read the key',
      'src/inspector/address.ts',
      "{ mode: 0o600, flag: 'w' }",
      "{ mode: 0o644, flag: 'w' }",
    ],
  ),
  ...breaking(
    'A page of the inspector reads what it shows, and what has ended is shown as ended',
    {
      'tests/inspector/index.test.ts': [
        'of a run with 500 steps do not read its texts',
        'of an agent list its turns backwards',
        'of an ended run end with it',
      ],
    },
    [
      'all steps are read at once',
      'src/inspector/run.ts',
      'steps.slice(from, from + STEPS_PER_REQUEST)',
      'steps.slice(from, from + 10 * STEPS_PER_REQUEST)',
    ],
    [
      'earlier turns are left out',
      'src/inspector/conversation.ts',
      'before: first > 1 ? first - 1 : null',
      'before: null',
    ],
    [
      'what was written last ends a run',
      'src/inspector/run.ts',
      "const endMs = status === 'running' ? null : Date.parse(state.at)",
      "const endMs = status === 'running' ? null : Date.parse(facts.at(-1)?.at ?? '')",
    ],
  ),
  ...breaking(
    'The inspector renders what was said, and runs and loads nothing of it',
    { 'tests/inspector/pages.test.ts': ['hostile Markdown does nothing'] },
    [
      'texts are sent as they are',
      'src/inspector/facts.ts',
      'text: visible(text.slice(0, end)), end,',
      'text: text.slice(0, end), end,',
    ],
  ),
  ...breaking(
    'The inspector shows what an agent wrote as text, and git gets nothing from a log but names of snapshots',
    {
      'tests/inspector/files.test.ts': [
        'names and texts are made visible, and no line passes for another one',
        'a log that names an option of git instead of a snapshot runs nothing',
      ],
    },
    [
      'any name passes for a snapshot',
      'src/workspaces/files/snapshot-reader.ts',
      'if (COMMIT.test(name)) return name',
      "if (name !== '') return name",
    ],
    [
      'names of files are sent as they are',
      'src/events/hidden-characters.ts',
      'visible(name).replace(/[\\t\\n]/g, escaped)',
      'name',
    ],
    [
      'a line of a file ends a section of the patch',
      'src/inspector/files.ts',
      'if (piece.line.subarray(0, SECTION.length).equals(SECTION)) {',
      'if (piece.line.includes(SECTION)) {',
    ],
  ),

  // Further promises
  ...breaking(
    'Acknowledged facts are durable',
    { 'tests/store/level/write-failure.test.ts': ['An append is acknowledged only once its write is done'] },
    [
      'a write is acknowledged before it is done',
      'src/store/level/writer.ts',
      'await batch.write({ sync: true })\n    this.#epochIsWritten',
      'void batch.write({ sync: true }).catch(() => {})\n    this.#epochIsWritten',
    ],
  ),
  ...breaking(
    'An agent with damaged facts is never shown',
    {
      'tests/cli/log/damage.test.ts': [
        'A flipped byte: log verify names the file, agent show fails with the same',
      ],
    },
    [
      'files are not checked before they are opened',
      'src/store/level/opening-check.ts',
      '    throw new StoreDamaged({ path: paths.base, file: problem.file, problem: problemText(problem) })\n',
      '    if (!problem) throw problem\n',
    ],
  ),
  ...breaking(
    'Corruption in files that the log no longer needs is detected too',
    {
      'tests/store/care/verify.test.ts': [
        'is noted if it is intact, and a finding if it has changed on disk',
      ],
    },
    [
      'it is only noted',
      'src/store/care/verify/file-check.ts',
      "      findings.add('file', file, `${where}: ${problemText({ file, ...damage })}`)",
      '      findings.notes.push(`${where}: ${problemText({ file, ...damage })}`)',
    ],
  ),
  ...breaking(
    'Dropping bodies changes no state',
    { 'tests/store/care/compaction.test.ts': ['A compaction killed anywhere leaves a store that verifies'] },
    [
      'a reduced fact gets another hash',
      'src/store/care/compaction.ts',
      'encodeReduced(recordKey(recorded.position), previousHash, hash, shorter)',
      'encodeReduced(recordKey(recorded.position), previousHash, previousHash, shorter)',
    ],
  ),
  ...breaking(
    'A conversation of 400 turns of 2 KB',
    {
      'tests/actors/agent/size.test.ts': ['400 turns of 2 KB on one agent take at most 5 times the payload'],
    },
    [
      'each fact is written many times',
      'src/store/level/writer.ts',
      'for (const { key, value } of plan.records) batch.put(key, value)',
      'for (const { key, value } of plan.records) batch.put(key, value).put(`z!${key}`, value.repeat(8))',
    ],
  ),
  ...breaking(
    'A read-only directory is not opened',
    {
      'tests/store/level/faults.test.ts': [
        'that is mounted read-only prevents opening a store, but not verifying it',
      ],
    },
    [
      'the error of the system passes as it is',
      `${STORE}/directory.ts`,
      '    throw StoreNotOpened.from(directory, error)',
      '    throw error ?? StoreNotOpened.from(directory, error)',
    ],
  ),
  ...breaking(
    'Too many open files',
    {
      'tests/store/level/faults.test.ts': [
        'Too many open files are a typed error, and work resumes once some are closed',
      ],
    },
    [
      'the error of the system passes as it is',
      'src/store/file-blobs.ts',
      '      throw new StoreReadOnly({ path: directory,',
      '      throw cause ?? new StoreReadOnly({ path: directory,',
    ],
  ),
  ...breaking(
    'An owner in another container is not taken for a dead one',
    { 'tests/store/level/lock.test.ts': ['An owner in another container is not taken for a dead one'] },
    [
      'an owner of which nothing is known is dead',
      'src/store/level/lock.ts',
      "return liveness === 'unknown' ? isLogLocked(baseDir) : liveness === 'alive'",
      "return liveness === 'alive'",
    ],
  ),
  ...breaking(
    'Cancelling a task leaves nothing behind it waiting',
    {
      'tests/actors/agent/cancellation.test.ts': [
        'whatever is cancelled, and whenever: the tasks behind it begin',
      ],
    },
    [
      'a cancelled task ends the turn of those behind it',
      'src/actors/agent/worker.ts',
      '        await this.#begin(task, context)\n      } catch',
      '        return await this.#begin(task, context)\n      } catch',
    ],
  ),
  ...breaking(
    'The public API rejects with errors of its own',
    { 'tests/impossible-paths.test.ts': ['in a working directory that was removed'] },
    [
      'a removed working directory is an error of the language',
      'src/store/directory.ts',
      'throw new NoWorkingDirectory({ path }, { cause })',
      'throw cause',
    ],
  ),
  ...breaking(
    'The public API rejects with errors of its own',
    { 'tests/impossible-paths.test.ts': ['with anything else in place of what it names'] },
    [
      'a repair of a file lets the system speak',
      `${CARE}/repair.ts`,
      'const owner = await atStore(directory, () => liveOwner(source.base))',
      'const owner = await liveOwner(source.base)',
    ],
  ),
  ...breaking('A full disk hangs nothing', { [FULL_DISK]: ['closing does not wait for a budget'] }, [
    'closing waits until a budget is set',
    'src/actors/admission/budgets.ts',
    '    await this.#closeLedgers()\n    await this.#settings.idle()\n',
    '    await this.#settings.idle()\n',
  ]),
  ...breaking('A full disk hangs nothing', { [FULL_DISK]: ['a run that no process executes'] }, [
    'a cancellation is tried once',
    'src/patterns/runs/runs.ts',
    'await actor.insist(end)',
    'await end()',
  ]),
  ...breaking('A full disk hangs nothing', { [FULL_DISK]: ['a run whose end is refused'] }, [
    'copies are removed once',
    'src/patterns/runs/durable-ask.ts',
    'await actor.insist(() => this.#workers.dismiss())',
    'await this.#workers.dismiss()',
  ]),
  ...breaking('A full disk hangs nothing', { [FULL_DISK]: ['a supervisor refuses commands'] }, [
    'commands wait behind an exit',
    'src/actors/supervision/worker.ts',
    '      for (const reject of this.#commands) reject(error)\n      this.#commands.clear()\n',
    '',
  ]),
  ...breaking(
    'A full disk undoes no decision and loses no answer',
    {
      'tests/actors/agent/full-disk.test.ts': [
        'a run waits for room with what its steps have answered, and asks nothing twice',
      ],
    },
    [
      'what may pass is not tried again',
      'src/actors/engine/wish.ts',
      'if (!wish.isWanted || !mayPass(error)) throw error',
      'if (!wish.isWanted || !mayPass(error) || delayMs > 0) throw error',
    ],
  ),
  ...breaking(
    "An agent's work is never overwritten",
    {
      'tests/workspaces/inputs/agent-work.test.ts': [
        'whatever an agent has written is in its workspace for ever',
      ],
    },
    [
      'a placement replaces what has changed',
      'src/workspaces/inputs/placement.ts',
      'if (changes === null) staged',
      'if (changes === null || !replace) staged',
    ],
  ),
  ...breaking(
    'A listener that throws changes nothing here',
    {
      'tests/actors/engine/listeners.test.ts': [
        '%s that throws is reported to the host, and everything continues',
      ],
    },
    [
      'what it throws is thrown here',
      'src/events/listener.ts',
      '    reportToHost(error)\n  }',
      '    throw error\n  }',
    ],
  ),
  ...breaking(
    "A repository's configuration touches no other store",
    {
      'tests/cli/config/trust.test.ts': [
        'a repository cannot change the agents of another store, or grant tools, until its file is trusted',
      ],
    },
    [
      'any file is trusted',
      'src/config/configuration.ts',
      "  if (trust === 'trusted') return []",
      '  if (trust.length > 0) return []',
    ],
  ),
  ...breaking(
    'A repository cannot run a command or call a webhook through notify',
    { 'tests/config/trust.test.ts': ['may not: %j'] },
    [
      'a command needs no trust',
      'src/config/trust.ts',
      "    if (command) add(['notify', index, 'command'], 'it names a program to run')\n",
      '',
    ],
    [
      'a webhook needs no trust',
      'src/config/trust.ts',
      '    if (webhook) add(',
      '    if (webhook && command) add(',
    ],
  ),
  ...breaking(
    'Each receiver gets what it chose at least once, in the order of the log',
    { 'tests/notifications/notifier.test.ts': ['For any log, any failures and any kills'] },
    [
      'the place is kept before the delivery',
      'src/notifications/notifier.ts',
      '        if (isFor && !(await this.#deliver(receiver, notification))) return\n',
      '        await this.#positions.advance(id, recorded.position, isFor)\n        if (isFor && !(await this.#deliver(receiver, notification))) return\n',
    ],
    [
      'the next one does not wait for one that failed',
      'src/notifications/notifier.ts',
      "      if (outcome === 'refused' || tries === MOST_TRIES) {",
      "      if (outcome !== 'unusable') {",
    ],
  ),
  ...breaking(
    'A receiver holds up neither work nor another receiver',
    { 'tests/notifications/notifier.test.ts': ['that never answers holds up no other'] },
    [
      'closing waits for all of them',
      'src/notifications/notifier.ts',
      'await inTime(this.#parts.clock, this.#deliveries, CLOSES_WITHIN_MS, undefined)',
      'await this.#deliveries',
    ],
  ),
  ...breaking(
    'A notification that cannot be delivered is given up after 10 tries, with one warning',
    { 'tests/notifications/notifier.test.ts': ['is given up with one warning, and hears the next one'] },
    ['it is tried for ever', 'src/notifications/notifier.ts', 'tries === MOST_TRIES', 'tries === 0'],
  ),
  ...breaking(
    'A notification has no prompt and no answer, and a secret is repeated nowhere',
    { 'tests/notifications/receivers.test.ts': ['whose secret is %j, without repeating it'] },
    [
      'a mistaken secret is quoted',
      'src/events/options/decoding.ts',
      'said.isPrivate ? undefined : valueAt(root, path)',
      'valueAt(root, path)',
    ],
  ),
  ...breaking(
    'A webhook is not followed elsewhere',
    { 'tests/notifications/receivers.test.ts': ['is not followed elsewhere'] },
    ['redirects are followed', 'src/notifications/receivers.ts', "redirect: 'manual', ", ''],
  ),
  ...breaking(
    'A refused key or an account without credit costs one request',
    { 'tests/claude/claude-cli-failures.test.ts': ['is reported after one request: the CLI does not retry'] },
    [
      'the CLI retries',
      'src/claude/classification.ts',
      '  if (retry === null || answered) return null',
      '  if (retry === null || answered || retry.status !== 0) return null',
    ],
  ),
  ...breaking(
    'A paid result is read, whatever an agent made of its files',
    {
      'tests/claude/hostile-files.test.ts': [
        'in place of the transcript to continue: the session counts as lost',
      ],
    },
    [
      'a pipe is opened and waited for',
      'src/workspaces/agent-file.ts',
      'const READ = constants.O_RDONLY | constants.O_NONBLOCK |',
      'const READ = constants.O_RDONLY |',
    ],
  ),
  ...breaking(
    'A lack of file descriptors delays a call',
    {
      'tests/claude/process/descriptors.test.ts': [
        'what fails for lack of descriptors is tried again, with longer and longer pauses',
      ],
    },
    [
      'it fails the call',
      'src/workspaces/descriptors.ts',
      'if (!isLack(error) || tries === TRIES || signal?.aborted) throw error',
      'if (!isLack(error) || tries <= TRIES || signal?.aborted) throw error',
    ],
  ),
  ...breaking(
    'A schema works, or is refused before any request',
    { 'tests/claude/output-schema.test.ts': ['is not asked with a schema that it would refuse or ignore'] },
    [
      'keywords are not checked',
      'src/claude/output-schema.ts',
      "  if (name === 'type' && !types.every",
      "  if (name === '' && !types.every",
    ],
  ),
  ...breaking(
    'Half an answer is never taken for a whole one',
    {
      'tests/claude/paused-turn.test.ts': [
        'the parts of a paused turn are one answer, with the cost of all of them',
      ],
    },
    [
      'a paused turn is the answer',
      'src/claude/paused-turn.ts',
      "const PAUSED = 'pause_turn'",
      "const PAUSED = 'never'",
    ],
  ),
  ...breaking(
    'When a task ends, so does its call',
    { 'tests/processes/processes.test.ts': ['when the signal of its run is aborted'] },
    [
      'an aborted call runs on',
      'src/claude/process/call-run.ts',
      "  signal.addEventListener('abort', stop, { once: true })\n",
      '',
    ],
  ),
  ...breaking(
    'What a call cost counts, however it ended',
    {
      'tests/actors/admission/spending.test.ts': [
        'however they end: all figures add up to what was reported',
      ],
    },
    [
      'what a call reported is not settled',
      'src/actors/admission/budget-settlement.ts',
      '    if (spending) return settled(fact, spending) ?? assumed\n',
      '',
    ],
  ),
  ...breaking(
    'Tokens written to the cache count',
    { 'tests/actors/admission/spending.test.ts': ['Cached tokens count by the weight that is set'] },
    [
      'cached tokens are free',
      'src/actors/agent/call-endings.ts',
      'recordedSpending(spent, this.#environment.admission.tokensOf(spent.usage))',
      'recordedSpending(spent, spent.usage.inputTokens + spent.usage.outputTokens)',
    ],
  ),
  ...breaking(
    'A budget counts each call once, whenever it is set',
    {
      'tests/actors/admission/settlements.test.ts': [
        'a budget that is set at any moment counts each call once',
      ],
    },
    [
      'open calls count as spent as well',
      'src/actors/admission/budget-settlement.ts',
      'recorded.position < from || without.has(callId)) continue',
      'recorded.position < from) continue',
    ],
  ),
  ...breaking(
    "A tree follows OTP's rules",
    {
      'tests/actors/supervision/supervisor.test.ts': [
        'restarts the children started after the one that ended',
      ],
    },
    [
      'one-for-all restarts one',
      'src/actors/supervision/decisions.ts',
      "    case 'rest-for-one':\n",
      "    case 'never' as 'rest-for-one':\n",
    ],
  ),
  ...breaking(
    'No child waits for a restart that never comes',
    {
      'tests/actors/supervision/commands-while-waiting.test.ts': [
        'terminating it restarts the siblings that waited with it',
      ],
    },
    [
      'siblings stay stranded',
      'src/actors/supervision/decisions.ts',
      "child.status === 'restarting' && child.dueAt === null && !isIncluded",
      "child.status === 'starting' && child.dueAt === null && !isIncluded",
    ],
  ),
  ...breaking(
    'Removing an agent never brings down its tree',
    { 'tests/actors/supervision/supervised-agents.test.ts': ['for any moment of a removal'] },
    [
      'a removed agent is restarted',
      'src/actors/supervision/decisions.ts',
      '  if (isRemoved(exit)) return false\n',
      '',
    ],
  ),
  ...breaking(
    'A restarted agent loses nothing',
    {
      'tests/actors/supervision/supervised-agents.test.ts': [
        'whose last retry fails is reloaded: its queue continues',
      ],
    },
    [
      'a restart empties the queue',
      'src/actors/agent/state.ts',
      'AgentRestarted: () => ({ failure: null })',
      'AgentRestarted: () => ({ failure: null, queue: [] })',
    ],
  ),
  ...breaking(
    'A custom actor is as durable as an agent',
    { 'tests/actors/own/own-actor.test.ts': ['is resumed when the store is next opened with its kind'] },
    [
      'its effects do not run',
      'src/actors/own/ref.ts',
      '    if (this.#environment.store.forReading) return\n    life.start(',
      '    if (this.#environment.store.forReading || this.stream.length > 0) return\n    actor.start(',
    ],
  ),
  ...breaking(
    'The state at any version is the state at that time',
    {
      'tests/history/time-travel.test.ts': ['the state at every version is the one that the live system had'],
    },
    [
      'one fact more is folded',
      'src/actors/engine/fold-at.ts',
      'history(kind, store, stream, { to })',
      'history(kind, store, stream, { to: to + 1 })',
    ],
  ),
  ...breaking(
    'A fork has the history up to its branching point',
    {
      'tests/history/fork.test.ts': [
        'an agent forked at an earlier turn sends the model exactly the history up to it',
      ],
    },
    [
      'a fork begins now',
      'src/actors/agent/session/fork.ts',
      'store, stream, at)\n',
      'store, stream, at === undefined ? at : undefined)\n',
    ],
  ),
  ...breaking(
    'A run does not succeed without a part',
    {
      'tests/patterns/runs/missing-parts.test.ts': [
        'is no success, names the agent, and resumes with what is missing',
        'a race is won by a whole answer, even if one with a missing part is earlier',
      ],
    },
    [
      'what is made from an answer does not know what was missing from it',
      'src/patterns/answers.ts',
      'if (before.length === 0) return (answers) => answers',
      'if (before.length >= 0) return (answers) => answers',
    ],
  ),
  ...breaking(
    'A run settles, at any length',
    {
      'tests/patterns/runs/long-runs.test.ts': [
        'because its pattern waits although none of its asks is open fails after ten seconds',
      ],
    },
    [
      'a stuck pattern waits on',
      'src/patterns/runs/hand-over.ts',
      'const PATIENCE_MS = 10_000',
      'const PATIENCE_MS = 1e12',
    ],
  ),
  ...breaking(
    'Runs do not bleed into each other',
    {
      'tests/patterns/runs/sessions.test.ts': ['a run over another input carries nothing of the first along'],
    },
    [
      'a run continues the conversation of the agent',
      'src/actors/agent/decisions.ts',
      'run: task.continues ?? null',
      'run: task.continues ?? session',
    ],
  ),
  ...breaking(
    'A run of data resumes by its id alone',
    {
      'tests/workflows/built-workflow.test.ts': [
        'is told, shown by the plan, and taken only where that is asked for',
        'is one that a part of it had, and not one of its neighbours',
      ],
    },
    [
      'a changed definition is taken without a word',
      'src/patterns/runs/workflow-builder.ts',
      'if (hasChanged(context, built)) throw',
      'if (hasChanged(context, { ...built, hash: null })) throw',
    ],
    [
      'the parts of a workflow do not count',
      'src/workflows/built-workflow.ts',
      'return [workflow, ...partsOf(workflow)',
      'return [workflow, ...partsOf(workflow).slice(9)',
    ],
  ),
  ...breaking(
    'Runs of data drive themselves',
    {
      'tests/patterns/runs/driving.test.ts': [
        'an owner that opens resumes the runs that can be built',
        'a run that the user paused, or that failed, is not resumed by itself',
        'a disk that is full when an owner opens delays its runs, and loses none',
      ],
    },
    [
      'a resumption is tried once',
      'src/patterns/runs/runs.ts',
      'new Run(id, () => insist(prepare, this.#life))',
      'new Run(id, () => prepare())',
    ],
    [
      'an owner that opens resumes no run',
      'src/orchestrator.ts',
      'await orchestrator.#runs.drive()',
      'orchestrator.#runs.areSettled',
    ],
    [
      'what was paused is resumed as well',
      'src/patterns/runs/runs.ts',
      'streams({ prefix: RUN_STREAMS, open: true }))\n      decided',
      'streams({ prefix: RUN_STREAMS }))\n      decided',
    ],
  ),
  ...breaking(
    'A run is `running` only while a living process executes it',
    {
      'tests/patterns/runs/conditions.test.ts': ['a run is running only while a living process executes it'],
    },
    [
      'one that its process has left is running',
      'src/patterns/runs/runs.ts',
      '(isHere(id) ? { driver: process.pid } : elsewhere?.get(id))',
      '({ driver: process.pid })',
    ],
  ),
  ...breaking(
    'A run that moves asks each step once',
    { 'tests/cluster/moving-runs.test.ts': ['it is fenced, and cancels nothing'] },
    [
      'one that is left cancels its steps',
      'src/patterns/runs/durable-ask.ts',
      'if (!this.isLeft) interest.abort(NO_LONGER_NEEDED)',
      'interest.abort(NO_LONGER_NEEDED)',
    ],
  ),
  ...breaking(
    'What a newer release has written holds up nothing else in a worker of an older one',
    {
      'tests/cluster/newer-facts.test.ts': [
        'and a worker that has it can be drained',
        'only the one that cannot be read is not delivered',
        'only the one that cannot be read is not driven',
      ],
      'tests/actors/engine/unreadable.test.ts': ['each is said once'],
    },
    [
      'a run is not let go of',
      'src/cluster/run-residents.ts',
      'if (this.has(id)) await this.#take(id).catch(() => {})',
      'if (this.has(id)) await this.#take(id)',
    ],
    [
      'one schedule or topic stops the others',
      'src/actors/engine/unreadable.ts',
      'if (!(error instanceof UnknownFactError || error instanceof UnreadableFactError)) throw error',
      'throw error',
    ],
  ),
  ...breaking(
    'A run that waits says why',
    { 'tests/cluster/moving-runs.test.ts': ['a run that waits says why all the time'] },
    [
      'not while it is being resumed',
      'src/cluster/run-residents.ts',
      'filter(([id]) => this.has(id))',
      'filter(([id]) => this.has(id) && !this.#system.duties.isActive(id))',
    ],
  ),
  ...breaking(
    'A process that is no worker loses nothing of agents that lived in one',
    {
      'tests/actors/agent/moving/moving.test.ts': [
        'a process that is no worker has them as well, and what it does is not lost on the workers',
        'where workers share their directories, a process that is no worker brings and stores nothing',
        'what was stored before workers shared their directories is not taken for the newest',
      ],
    },
    [
      'it stores nothing',
      'src/actors/agent/moving/moving.ts',
      'residency !== undefined || (stored !== undefined && hasTexts(stored))',
      'residency !== undefined',
    ],
    [
      'it takes what is in a shared directory for what it has to bring',
      'src/actors/agent/moving/moving.ts',
      'residency !== undefined || hasTexts(stored)',
      'residency !== undefined || stored !== undefined',
    ],
    [
      'workers that share their directories leave in the store what is older than these',
      'src/actors/agent/moving/moving.ts',
      'stored && hasTexts(stored) ? {',
      'stored === undefined ? {',
    ],
  ),
  ...breaking(
    'A full disk of an agent costs no call and no file',
    {
      'tests/claude/full-disk.test.ts': ['no call begins, the task fails with the place and what to do'],
      'tests/actors/agent/moving/moving.test.ts': ['a disk that is full where it lives costs no answer'],
    },
    ['a call begins without room', 'src/claude/process/call-output.ts', '    await claimRoom(stdout)\n', ''],
    [
      'files that were not saved are taken for those of the turn before',
      'src/actors/agent/moving/moving.ts',
      '      files = null\n',
      '',
    ],
    [
      'what cannot be laid out is lost',
      'src/actors/agent/moving/moving.ts',
      'error instanceof GitNotInstalled || isDiskFull(error)',
      'error instanceof GitNotInstalled',
    ],
  ),
  ...breaking(
    'A worker lets go of agents without ending calls that others have begun',
    {
      'tests/cluster/claimed-here.test.ts': [
        'is kept until that has left',
        'However an agent is built once more',
      ],
      'tests/cluster/runner-storage.test.ts': [
        'when nothing of it is in this process',
        'one after the other',
      ],
    },
    [
      'a shard goes while an agent is being claimed',
      'src/cluster/runner-storage.ts',
      'Effect.andThen(emptyOf(String(shard)), oneAtATime(storage.release(address, shard)))',
      'oneAtATime(storage.release(address, shard))',
    ],
    [
      'all shards go at once, over a connection that is given up if one takes too long',
      'src/cluster/runner-storage.ts',
      'oneAtATime(storage.release(address, shard))',
      'storage.release(address, shard)',
    ],
    [
      'one that is being claimed is not waited for',
      'src/cluster/handover/claimed-here.ts',
      'while ([...this.#entries.keys()].some(isOne))',
      'while ([...this.#here].some(isOne))',
    ],
    [
      'one life of an agent ends the next one',
      'src/cluster/handover/claimed-here.ts',
      'if (this.#entries.get(address)?.times === 1) await this.depart(address)',
      'await this.depart(address)',
    ],
  ),
  ...breaking(
    'An agent whose labels were corrected is reached where it lives',
    {
      'tests/cluster/client.test.ts': ['refused there', 'whatever these are called'],
    },
    [
      'only the last labels are known by which it may live',
      'src/actors/agent/state.ts',
      '[before?.requires ?? [], ...requiredBefore]',
      '[before?.requires ?? []]',
    ],
    [
      'what is refused where it lives is done elsewhere',
      'src/cluster/client.ts',
      'if (!MOVED.has(line.error.tag)) throw errorFrom(line)',
      '',
    ],
  ),
  ...breaking(
    'What fails, or changes its labels, leaves a worker that claims nothing of others',
    { 'tests/cluster/claimed-here.test.ts': ['all the same', 'whose labels have changed', 'keeps no other'] },
    [
      'what cannot be taken does not enter',
      'src/cluster/run-residents.ts',
      'await this.#take(id).catch(() => {})',
      'await this.#take(id)',
    ],
    [
      'what has lived without its labels is not let go of',
      'src/cluster/residents.ts',
      '...(group === EVERYWHERE ? [] : [[]])]',
      ']',
    ],
    [
      'it is claimed although it is for another worker by then',
      'src/cluster/residents.ts',
      'if (!this.isOurs(address)) return',
      '',
    ],
    [
      'what comes by new labels loses its claim as its old life ends',
      'src/cluster/handover/claimed-here.ts',
      'if (this.#stays.get(id) === stay) {',
      'if (stay) {',
    ],
  ),
  ...breaking(
    'A circle of requests is found however many wait',
    { 'tests/messages/waits-elsewhere.test.ts': ['however many wait'] },
    [
      'those that wait are counted before they are looked at',
      'src/messages/waits-elsewhere.ts',
      'if (++lookedAt > MOST_LOOKED_AT) return undefined',
      'if (paths.size > MOST_LOOKED_AT) return undefined',
    ],
  ),
  ...breaking(
    'Runs of several processes have copies of a pool of their own',
    { 'tests/cluster/moving-runs.test.ts': ['have copies of a pool of their own'] },
    [
      'they share them',
      'src/actors/agent/system.ts',
      "if (type === 'AgentCreated') return correlationId === run",
      "if (type === 'AgentCreated') return true",
    ],
  ),
  ...breaking(
    'A step is never paid twice because its task was kept',
    {
      'tests/patterns/runs/kept-tasks.test.ts': [
        'a step whose task is kept by an agent that refuses stays open',
      ],
    },
    [
      'a step whose task is kept has failed',
      'src/patterns/runs/durable-ask.ts',
      'if (factOf(error) === undefined && mayHaveTask(worker, taskId, error)) {',
      "if (factOf(error) === undefined && taskId === '' && mayHaveTask(worker, taskId, error)) {",
    ],
  ),
  ...breaking(
    'Any process that waits for a task or a run gets what its caller got',
    { 'tests/patterns/runs/results.test.ts': ['is the same from the log alone as from the run'] },
    [
      'answers are not told from those of an earlier execution',
      'src/patterns/runs/workflow-result.ts',
      "if (type === 'RunStarted' || type === 'RunResumed') events = []",
      "if (type === 'RunStarted') events = []",
    ],
  ),
  ...breaking(
    'Any process that waits for a task or a run gets what its caller got',
    { 'tests/remote/orchestrator.test.ts': ['is waited for by a process that only reads the log'] },
    [
      'a reader does not follow the log',
      'src/actors/agent/tasks/tasks.ts',
      'this.#owner.isStarted ? caller.outcome()',
      "taskId !== '' ? caller.outcome()",
    ],
  ),
  ...breaking(
    'A program that connects has the orchestrator of the owner',
    { 'tests/remote/connect.test.ts': ['rejects where no process serves the store'] },
    [
      'an owner that serves no other process is not named',
      'src/remote/orchestrator.ts',
      'throw new OwnerNotFound({ path, silent })',
      'throw new OwnerNotFound({ path, silent: silent && null })',
    ],
  ),
  ...breaking(
    'An agent is used alike wherever it lives',
    {
      'tests/remote/agent-ref.test.ts': [
        'answers, and by then its state, its metrics and its sessions have the answer',
        'has what a command changed when that is done, and what others did when it is looked up',
        'is not begun by a process that waits for it',
      ],
    },
    [
      'what an agent has done elsewhere is not seen here',
      'src/actors/agent/moving/placement.ts',
      'await this.#read.refresh().catch(() => {})',
      'await Promise.resolve()',
    ],
    [
      'an agent that lives elsewhere is started by whoever waits for it',
      'src/actors/agent/agent.ts',
      'store.forReading === true || !environment.owns(id)',
      'store.forReading === true',
    ],
    [
      'what others have done is not seen when an agent is looked up',
      'src/actors/agent/system.ts',
      'if (!this.#placement.owns(id)) await agent.refresh()',
      '',
    ],
  ),
  ...breaking(
    'Watching stops nothing and outlives the owner',
    { 'tests/cli/live/attach.test.ts': ['wait and attach outlive the owner'] },
    [
      'it is not said that no process works on it',
      'src/cli/live/attach.ts',
      'if (pid === null) reviewer.review()',
      'if (pid === -1) reviewer.review()',
    ],
  ),
  ...breaking(
    'What an owner holds for a client does not grow',
    { 'tests/owner/followers.test.ts': ['200 clients attached to 20 runs'] },
    [
      'pages are sent to a client that does not read',
      'src/owner/answers.ts',
      'await lines.writePage(page)',
      'void lines.writePage(page)?.catch(() => {})',
    ],
  ),
  ...breaking(
    'What an owner holds for a client does not grow',
    { 'tests/owner/followers.test.ts': ['A client that follows one run is sent its facts'] },
    [
      'it is sent everything',
      'src/owner/followers.ts',
      'isSelected(fact, only))',
      'isSelected(fact, only) || true)',
    ],
  ),
  ...breaking(
    'Reading through the owner equals reading the log directly',
    { 'tests/remote/store.test.ts': ['A store that is read through its owner'] },
    [
      'a follower misses a fact',
      'src/owner/followers.ts',
      'pages(this.#store, { after,',
      'pages(this.#store, { after: after + 1,',
    ],
  ),
  ...breaking(
    'Commands that only read write nothing',
    {
      'tests/cli/config/trust.test.ts': [
        'no command that only reads writes anything, whatever the configuration declares',
      ],
    },
    [
      'they write what is declared',
      'src/cli/session.ts',
      "purpose === 'read'\n        ? await accessForReading",
      'purpose.length === 0\n        ? await accessForReading',
    ],
  ),
  ...breaking(
    'A supervisor acts after its decision is durable',
    {
      'tests/actors/supervision/full-disk.test.ts': [
        'Wherever the disk is full for a while, the children that run are those that the list says',
      ],
    },
    [
      'it acts before',
      'src/actors/supervision/worker.ts',
      '      await recording\n      return decided',
      '      await Promise.race([recording, Promise.resolve()])\n      return decided',
    ],
  ),
  ...breaking(
    '`close` resolves after the children have stopped',
    {
      'tests/actors/supervision/ending.test.ts': [
        'waits for the children of a supervisor below that still starts',
      ],
    },
    [
      'it waits for none',
      'src/actors/supervision/supervisors.ts',
      'for (const root of roots.toReversed()) await root.stop()',
      'for (const root of roots.toReversed()) void root.stop()',
    ],
  ),
  ...breaking(
    'A limit that ends at a known time is waited for once',
    { [ACCOUNT_LIMITS]: ['is waited for once, by all agents of the account'] },
    [
      'only the task that met it waits',
      'src/actors/admission/admission.ts',
      'await accounts.pause(account, news.window, news.leftMs)',
      'return',
    ],
  ),
  ...breaking(
    'A limit that ends at a known time is waited for once',
    { [ACCOUNT_LIMITS]: ['is waited for across a restart, by tasks that were never sent as well'] },
    [
      'the next process does not know it',
      'src/actors/admission/accounts.ts',
      '    const leftMs = pauseLeftMs(pauses, this.#environment.clock.now())\n    if (leftMs > 0) this.#governor.close(account, leftMs)\n',
      '',
    ],
  ),
  ...breaking(
    'A limit that ends at a known time is waited for once',
    { [ACCOUNT_LIMITS]: ['lets no further call begin while the first ones have no answer'] },
    [
      'all calls begin when it ends',
      'src/actors/admission/governor.ts',
      '{ inFlight, limit, openAt, isProven }: AdaptiveLimit, now: number): boolean =>\n  now >= openAt && inFlight < (isProven ? whole(limit) : Math.min(PROBES, whole(limit)))',
      '{ inFlight, limit, most, openAt, isProven }: AdaptiveLimit, now: number): boolean =>\n  now >= openAt && inFlight < (isProven ? whole(limit) : PROBES && most)',
    ],
  ),
  ...breaking(
    'A limit that ends at a known time is waited for once',
    { [ACCOUNT_LIMITS]: ['is waited for once, by all agents of the account: three starts at most'] },
    [
      'all calls begin before one is answered',
      'src/actors/admission/governor.ts',
      '(isProven ? whole(limit) : Math.min(PROBES, whole(limit)))',
      '(isProven || PROBES > 0 ? whole(limit) : 0)',
    ],
  ),
  ...breaking(
    'An account that cannot pay fails no task and is not probed',
    { [ACCOUNT_LIMITS]: ['holds its tasks: it is not tried again, and no agent is in error'] },
    [
      'its task fails',
      'src/actors/agent/decisions.ts',
      "  if (fault === 'payment')\n",
      "  if (fault === 'payment' && attempt < 0)\n",
    ],
    [
      'its other tasks are tried',
      'src/actors/admission/admission.ts',
      'await accounts.hold(account, news.why)',
      'return',
    ],
  ),
  ...breaking(
    'A person who resumes an account wakes its tasks only',
    { [ACCOUNT_LIMITS]: ['wakes its own tasks, and none of another account'] },
    [
      'any account wakes them',
      'src/actors/agent/waits.ts',
      'resumed.has(account) && resolve()',
      'resumed.size > 0 && resolve()',
    ],
  ),
  ...breaking(
    'A person who resumes an account wakes its tasks only',
    { [ACCOUNT_LIMITS]: ['wakes the tasks that a limit of one model keeps waiting, if it is named'] },
    [
      'an account that is open wakes none',
      'src/actors/admission/accounts.ts',
      '      accounts.add(account)\n',
      '',
    ],
  ),
  ...breaking(
    'A wait is never longer than the one that was decided',
    {
      'tests/actors/clock-jumps.test.ts': [
        'a retry is made within its delay',
        'a limit of the account ends within the wait that was decided, for every agent',
        'a deadline comes within the time that the task had left',
        'a restart by a supervisor is made within its back-off',
        'a timer of an own actor is due within its delay',
        'a wait of an older log, which does not say how long it was, is bounded by the settings',
      ],
    },
    [
      'only the instant counts',
      'src/clock.ts',
      'Math.min(Date.parse(dueAt) - now || 0, longestMs)',
      'Date.parse(dueAt) - now || longestMs * 0',
    ],
    [
      'a wait of an older log has no bound',
      'src/actors/agent/waits.ts',
      'OLD_ACCOUNT_WAIT_MS : (config?.retry.maxDelayMs ?? 0)',
      'OLD_ACCOUNT_WAIT_MS : (config?.retry.maxDelayMs ?? 0) * 1e9',
    ],
  ),
  ...breaking(
    '`--simulate` never reaches a paid account',
    {
      'tests/cli/live/other-runner.test.ts': [
        'with --simulate, no command makes a process that has the store open ask the real model',
      ],
    },
    [
      'a process that asks the real model is used',
      'src/cli/session.ts',
      "if (simulate ? isSimulated || purpose === 'read' :",
      "if (simulate ? isSimulated || purpose !== 'declare' :",
    ],
  ),
  ...breaking(
    '`--simulate` never reaches a paid account',
    {
      'tests/cli/live/other-runner.test.ts': [
        'without --simulate, no command is answered by a process that simulates',
      ],
    },
    [
      'a process that simulates is used',
      'src/cli/session.ts',
      ': !isSimulated || !asksForAnswers(purpose)) return',
      ': !isSimulated || purpose.length > 0) return',
    ],
  ),
  ...breaking(
    'A rebuilt conversation keeps what is newest',
    { [ACCOUNT_WAITS]: ['whose newest turn is too long keeps its end: %s'] },
    [
      'the beginning of a turn is kept',
      'src/actors/agent/session/conversation.ts',
      'text.slice(text.length - length).replace(',
      'text.slice(0, length).replace(',
    ],
  ),
  ...breaking(
    'A rebuilt conversation keeps what is newest',
    {
      [ACCOUNT_WAITS]: ['with a very long conversation keeps the newest turns and says how many it left out'],
    },
    [
      'the oldest turns are kept',
      'src/actors/agent/session/conversation.ts',
      '  for (const turn of turns) {\n    const texts',
      '  for (const turn of turns.toReversed()) {\n    const texts',
    ],
    [
      'nothing is said of what is left out',
      'src/actors/agent/session/conversation.ts',
      'turns: elsewhere + turns.length - told.length, characters }',
      'turns: 0, characters }',
    ],
  ),
  ...breaking(
    'An outcome that cannot be written never hangs a task',
    { [BROKEN_TASKS]: ['if its answer cannot be recorded; the answer and its cost are kept'] },
    [
      'its answer is lost',
      'src/actors/agent/call-endings.ts',
      'await this.breakTask(task.taskId, error)\n    await this.#keepLate({ task, call }, ending, admitted)\n',
      'await this.breakTask(task.taskId, error)\n',
    ],
  ),
  ...breaking(
    'An outcome that cannot be written never hangs a task',
    { [BROKEN_TASKS]: ['if its call cannot be announced, and the tasks behind it take their turn'] },
    [
      'a task waits for an effect that has failed',
      'src/actors/agent/call-endings.ts',
      '    if (mayPass(error)) throw error\n    this.#environment.logger',
      '    if (error !== undefined) throw error\n    this.#environment.logger',
    ],
  ),
  ...breaking(
    'An outcome that cannot be written never hangs a task',
    { [BROKEN_TASKS]: ['leaves its cost in the log, and counts once'] },
    [
      'the cost of a refused answer is lost',
      'src/actors/agent/call-endings.ts',
      'if (mayPass(error) || !spent) throw error',
      'if (error !== undefined) throw error',
    ],
  ),
  ...breaking(
    'What is known of an account ends no task',
    { [ACCOUNT_LIMITS]: ['ends no task: what a call says %s counts in this process'] },
    [
      'its task waits for it',
      'src/actors/admission/admission.ts',
      '      if (mayPass(error)) throw error\n      logger',
      '      if (error !== undefined) throw error\n      logger',
    ],
  ),
  ...breaking(
    'No runner and no effect keeps an agent or `close()` waiting for ever',
    { [DEAF_RUNNER]: ['a deaf call that is %s does not hold up the next task'] },
    [
      'a deaf call is waited for',
      'src/actors/agent/worker.ts',
      'const DEAF_AFTER_MS = 20_000',
      'const DEAF_AFTER_MS = 20_000_000',
    ],
  ),
  ...breaking(
    'No runner and no effect keeps an agent or `close()` waiting for ever',
    {
      [DEAF_RUNNER]: [
        'closing ends in time while an agent is prepared, or an effect of an actor runs, for ever',
      ],
    },
    [
      'closing waits for each part',
      'src/orchestrator.ts',
      'const CLOSES_WITHIN_MS = 30_000',
      'const CLOSES_WITHIN_MS = 30_000_000',
    ],
  ),
  ...breaking(
    'A foreign fact does not wedge an actor',
    {
      'tests/actors/engine/foreign-facts.test.ts': [
        'whenever it comes: no decision is lost or taken on an old state',
        'a write that is reported as failed, but was written, does not wedge the actor',
      ],
    },
    [
      'a decision that came second is not taken again',
      'src/actors/engine/life.ts',
      'if (part || !(error instanceof VersionConflict) || error !== actor.lost) throw error',
      'if (error !== undefined) throw error',
    ],
  ),
  ...breaking(
    'A foreign fact does not wedge an actor',
    { 'tests/actors/own/decided.test.ts': ['a decide that returns %s fails with a clear error'] },
    [
      'a promise is no facts',
      'src/actors/own/decided.ts',
      "  if (decided === undefined || decided === null) return 'it returned nothing'\n",
      '  if (decided === undefined || decided === null) return null\n',
    ],
  ),
  ...breaking(
    'A late answer is recorded and its cost counted',
    { 'tests/actors/agent/late-answers.test.ts': ['comes while the end of its task is written'] },
    [
      'what is found out while everything closes is not written',
      'src/actors/agent/call.ts',
      ', whileClosing: true })',
      ' })',
    ],
  ),
  ...breaking(
    'A full disk undoes no decision and loses no answer',
    {
      'tests/actors/agent/full-disk.test.ts': [
        'an answer that waits for room is written while everything closes',
      ],
    },
    [
      'a write that waits is not tried when everything closes',
      'src/actors/engine/actor.ts',
      'if (this.#life.isWanted || !mayPass(error)) throw error',
      'if (error !== undefined) throw error',
    ],
  ),
  ...breaking(
    'A full disk undoes no decision and loses no answer',
    {
      'tests/actors/agent/full-disk.test.ts': [
        'what a call cost waits for room while its agent is restarted',
      ],
    },
    [
      'a restart gives up what waits for room',
      'src/actors/agent/agent.ts',
      'wasKilled, insists: true })',
      'wasKilled })',
    ],
  ),
  ...breaking(
    'An adopted session continues as it was',
    { 'tests/actors/agent/adopted.test.ts': ['forks the session with its first task'] },
    [
      'the agent begins a conversation of its own',
      'src/actors/agent/state.ts',
      'SessionAdopted: ({ totals }, data) => ({ session: data.sessionId, ',
      'SessionAdopted: ({ totals }, data) => ({ ',
    ],
  ),
  ...breaking(
    'An adopted session continues as it was: half a line is refused',
    {
      'tests/claude/session/adoption.test.ts': ['a transcript that is cut off anywhere'],
    },
    ['half a line is skipped', 'src/claude/session/adoption.ts', 'isWhole = line !== null', 'isWhole = true'],
  ),
  ...breaking(
    'A conversation in a terminal leaves the agent as it is',
    { 'tests/actors/agent/adopted.test.ts': ['continues from what was said in a terminal'] },
    [
      'no budget counts what it cost',
      'src/actors/agent/agent.ts',
      '    await admission.charge(request, amountOf(recorded))\n',
      '',
    ],
  ),
  ...breaking(
    'A conversation in a terminal leaves the agent as it is: one that moved on refuses it',
    { 'tests/actors/agent/adopted.test.ts': ['that answered meanwhile, or is about to'] },
    [
      'an answer in between is lost',
      'src/actors/agent/agent.ts',
      'context.session !== parentSessionId',
      'context.session === undefined',
    ],
  ),
  ...breaking(
    'A branch off an earlier turn costs what it cost',
    { [PRUNING]: ['a branch at an earlier turn begins with the cost of the transcript that it forked'] },
    [
      'it begins with the cost of the whole conversation',
      'src/claude/session/sessions.ts',
      'origin === null || origin.at === null ? {} : {',
      "origin === null || origin.at !== '' ? {} : {",
    ],
  ),
  ...breaking(
    'An answer costs the same reading, however many conversations an agent has had',
    { [PRUNING]: ['an answered call reads its own transcript and the one before it'] },
    [
      'all transcripts are read',
      'src/claude/session/sessions.ts',
      '...others.filter(({ sessionId }) => sessionId === before)',
      '...others.filter(({ sessionId }) => sessionId !== before || before)',
    ],
  ),
  ...breaking(
    'Links inside a folder input are kept where they stay inside',
    {
      'tests/workspaces/inputs/folders.test.ts': [
        'links that stay inside come along as links',
        'whatever links are in it, those that come along lead nowhere outside, and the others are counted',
      ],
    },
    [
      'any link comes along',
      'src/workspaces/inputs/folder-copy.ts',
      "if (!staysInside(to.toString('latin1'), depth))",
      "if (to.length === 0 && !staysInside(to.toString('latin1'), depth))",
    ],
  ),
  ...breaking(
    'What is done with one agent costs the same among many',
    {
      'tests/actors/agent/many-agents.test.ts': [
        'creating, asking, pooling and removing one read as many summaries as among 10',
      ],
    },
    [
      'all agents are looked at for the copies of one',
      'src/actors/agent/system.ts',
      '{ prefix: `${AGENT_STREAMS}${id}.` }',
      '{ prefix: AGENT_STREAMS }',
    ],
  ),
  ...breaking(
    'A reader never owns the store',
    {
      'tests/remote/reading-store.test.ts': [
        'A log that is being read can be opened, written and closed by owner after owner, and the reader sees it all',
      ],
    },
    [
      'a reader stays with its first view',
      'src/remote/reading-store.ts',
      'if (opened.viewedTo === null || opened.viewedTo >= (await recordedHead(baseDir)))',
      'if (opened.viewedTo === null || opened.viewedTo >= 0)',
    ],
  ),
  ...breaking(
    'A view of the files holds everything acknowledged before it was taken',
    {
      'tests/remote/reading-store.test.ts': [
        'A view holds everything acknowledged before it was taken, however fast its owner writes',
      ],
    },
    [
      'the newest file is left out',
      'src/store/care/live-copy.ts',
      'number >= logNumber || number',
      'number > logNumber || number',
    ],
  ),
  ...breaking(
    'Every documented value works',
    {
      'tests/cli/documented-values.test.ts': ['every value that the help names is run'],
    },
    [
      'an option names a value that no test runs',
      'src/cli/live/tail.ts',
      "'number of facts to start with'",
      "'number of facts to start with, or none'",
    ],
  ),
  ...breaking(
    'A hint can be followed where it is shown',
    { 'tests/cli/hints.test.ts': ['no hint on the command line names what only code can do'] },
    ['asides for programs are shown', 'src/cli/terminal/own-name.ts', ".replace(IN_CODE, '')", ''],
  ),
  ...breaking(
    'No line of a table or of a live display is wider than the terminal',
    {
      'tests/cli/terminal/table.test.ts': [
        'A terminal shows wide characters and emoji in two columns, and marks in none',
      ],
    },
    [
      'wide characters count as one column',
      'src/cli/terminal/text.ts',
      'WIDE.test(grapheme) ? 2',
      'WIDE.test(grapheme) ? 1',
    ],
  ),
  ...breaking(
    'A wrong argument is reported by name',
    {
      'tests/public-arguments.test.ts': [
        'every exported function has a clear error for an argument that is missing or wrong',
      ],
    },
    [
      'arguments are taken as they come',
      'src/events/options/decoding.ts',
      'if (ARGUMENTS[kind](value)) return',
      'return',
    ],
  ),
  ...breaking(
    'A mistyped command of an interactive session costs nothing',
    {
      'tests/cli/wrong-words.test.ts': [
        'What looks like a mistyped command of a session is neither run nor asked',
      ],
    },
    [
      'it is asked',
      'src/cli/interactive/input.ts',
      "return meant === null ? { type: 'ask'",
      "return meant !== '' ? { type: 'ask'",
    ],
  ),
  ...breaking(
    'A mistyped command of an interactive session costs nothing',
    {
      'tests/cli/wrong-words.test.ts': [
        'A slip in the name of a command never reaches the agent, however long the line is',
      ],
    },
    [
      'what is long is asked',
      'src/cli/interactive/input.ts',
      'ORDINARY.has(word.toLowerCase()) &&',
      '(ORDINARY.has(word.toLowerCase()) || true) &&',
    ],
  ),
  ...breaking(
    'In a report of a run, no text is markup',
    { 'tests/cli/terminal/document.test.ts': ['on a page, no text is markup or hidden'] },
    ['quotes end an attribute', 'src/cli/terminal/document.ts', '/[&<>"\']/g', '/[&<>]/g'],
  ),
  ...breaking(
    'In a report of a run, no text is markup',
    {
      'tests/cli/terminal/document.test.ts': [
        'in Markdown, a text stays between its fences and a cell in its table',
      ],
    },
    [
      'fences are as long as those of the text',
      'src/cli/terminal/document.ts',
      'repeat(longest + 1)',
      'repeat(3)',
    ],
  ),
  ...breaking(
    'A file that you name is not overwritten',
    { 'tests/cli/first-hour.test.ts': ['is not overwritten by %s %s unless --force says so'] },
    ['every file is', 'src/cli/overwriting.ts', 'if (force || ', 'if (!force || '],
  ),
  ...breaking(
    'A command that is refused leaves no store behind',
    { 'tests/cli/first-hour.test.ts': ['A command that is refused leaves no store behind'] },
    [
      'the options of an agent are checked in the store',
      'src/cli/agent/commands.ts',
      '  agentConfig(agentOptions)\n',
      '',
    ],
  ),
  ...breaking(
    'A prompt that is too large for `claude` is refused when it is given',
    {
      'tests/workspaces/inputs/task-input.test.ts': [
        'a prompt with its text may be as large as claude reads, and no larger',
      ],
    },
    [
      'characters are counted instead of bytes',
      'src/events/task-input.ts',
      'Buffer.byteLength(composePrompt(input)) > LARGEST_PROMPT',
      'composePrompt(input).length > LARGEST_PROMPT',
    ],
  ),
  ...breaking(
    'Opening costs what is new, and trusts nothing',
    { [REMEMBERED]: ['is opened by reading the tables that it needs for that, and no others'] },
    [
      'all tables are read',
      `${STORE}/opening-check.ts`,
      'const areUnchanged = await Promise.all(directory.tables.map(isUnchanged))',
      'const areUnchanged = directory.tables.map(() => false)',
    ],
  ),
  ...breaking(
    'Opening costs what is new, and trusts nothing',
    {
      [REMEMBERED]: [
        'A byte that rots in a table without a trace gives an error or what was written, wherever it is',
      ],
    },
    [
      'a table is trusted when it is used',
      `${STORE}/opening-check.ts`,
      'if (within.length > 0) await',
      'if (within.length < 0) await',
    ],
  ),
  ...breaking(
    'Memory is bounded by the agents in use',
    {
      'tests/actors/agent/memory.test.ts': [
        'is one of at most so many in memory: 2,000 that were used leave those used last',
      ],
    },
    [
      'any number stays',
      'src/actors/engine/registry.ts',
      'return this.#living.size > this.#residence.most',
      'return this.#living.size > this.#residence.most * 1e9',
    ],
  ),
  ...breaking(
    'Memory is bounded by the agents in use',
    { 'tests/actors/agent/memory.test.ts': ['leaves memory after a quiet time'] },
    [
      'a quiet one stays',
      'src/actors/engine/registry.ts',
      'this.#passivate((usedAt) => usedAt + quietMs <= now)',
      'this.#passivate((usedAt) => usedAt + quietMs <= now - 1e9)',
    ],
  ),
  ...breaking(
    'Memory is bounded by the agents in use',
    { 'tests/actors/agent/memory.test.ts': ['stays in memory with %s'] },
    [
      'one that is needed leaves',
      'src/actors/engine/registry.ts',
      '      if (!resident.isIdle) {\n',
      '      if (resident.isIdle === null) {\n',
    ],
  ),
  ...breaking(
    'The failure of a run that is not awaited is reported',
    { 'tests/patterns/runs/promise.test.ts': ['the failure of a run that nobody awaits is heard of'] },
    [
      'no failure is heard of',
      'src/patterns/runs/run.ts',
      'if (error instanceof ClosedError || error instanceof RunInterruptedError) this',
      'this',
    ],
  ),
  ...breaking(
    'The failure of a run that is not awaited is reported',
    { 'tests/patterns/runs/promise.test.ts': ['nothing is heard of a run that is awaited'] },
    [
      'what is left on closing is heard of',
      'src/patterns/runs/run.ts',
      'if (error instanceof ClosedError || error instanceof RunInterruptedError) this',
      'if (error instanceof RunInterruptedError) this',
    ],
  ),
  ...breaking(
    'What can be no base directory is an error for people',
    { 'tests/cli/places.test.ts': ['a base directory that is %s is an error for people'] },
    [
      'the error of the system passes as it is',
      'src/cli/existing-store.ts',
      'throw StoreNotOpened.from(directory, error)',
      'throw error',
    ],
    [
      'a link that leads nowhere is an empty directory',
      'src/cli/existing-store.ts',
      "codeOf(error) === 'ENOENT' && !lstatSync(directory, { throwIfNoEntry: false })",
      "codeOf(error) === 'ENOENT'",
    ],
    [
      'a store that is to be made does not say why it cannot be',
      `${STORE}/directory.ts`,
      'throw StoreNotOpened.from(directory, error)',
      'throw error',
    ],
  ),
  ...breaking(
    'Nothing breaks into what is on the screen',
    {
      'tests/cli/terminal/live-lines.test.ts': [
        'a warning waits for the end of the line that is being written',
      ],
    },
    [
      'a warning breaks into a line',
      'src/cli/terminal/live-lines.ts',
      'if (isLineOpen || covers > 0 || waiting.length === 0) return',
      'if (covers > 0 || waiting.length === 0) return',
    ],
  ),
  ...breaking(
    'Nothing breaks into what is on the screen',
    {
      'tests/cli/terminal/live-lines.test.ts': [
        'a warning goes above the prompt at which the user types, and what was typed stays',
      ],
    },
    [
      'a warning is written over the prompt',
      'src/cli/terminal/live-lines.ts',
      'if (prompt === null || !process.stderr.isTTY)',
      'if (prompt !== undefined)',
    ],
  ),
  ...breaking(
    'Nothing breaks into what is on the screen',
    { 'tests/cli/only-json.test.ts': ['with --json every line of stderr is JSON as well'] },
    [
      'a note is text',
      'src/cli/terminal/output.ts',
      'json ? jsonLine({ note: asTyped(text) }) : asTyped(text)',
      'asTyped(text)',
    ],
  ),
]

/** What CI breaks: the protections without which facts are lost, calls are paid twice, or strangers get in. */
export const VITAL = [
  'an append is not synced',
  'a hash is not compared',
  'a missing file starts a new log',
  'the end is not compared with head',
  'any version is accepted',
  'an earlier token is accepted',
  'a repeated id is written again',
  'the kernel is not asked',
  'the lock is not checked before an acknowledgement',
  'others may read its files',
  'others may write it',
  'its owner may be another one',
  'the texts of summaries stay',
  'tokens of services stay',
  'no token is needed',
  'any host name passes',
  'any origin passes',
  'a fold takes a chance',
  'what became of a call is not looked up',
  'the last call does not count',
  'only the instant counts',
  'one restart more is allowed',
  'a sweep kills nothing',
]

/** What keeps mutations from being tried: a line that has changed, or a test that is gone. */
export function staleness(mutations, root) {
  const texts = new Map()
  const textOf = (file) => {
    const path = join(root, file)
    if (!texts.has(file)) texts.set(file, existsSync(path) ? readFileSync(path, 'utf8') : '')
    return texts.get(file)
  }
  const codeOf = (test) => textOf(test).replace(/\/\*\*[\s\S]*?\*\//g, '')
  return mutations.flatMap(({ breaks, file, from, to, tests }) => {
    const count = textOf(file).split(from).length - 1
    const isApplicable = count === 1 && from !== to
    return [
      ...(isApplicable ? [] : [`${breaks}: ${JSON.stringify(from)} is ${count} times in ${file}`]),
      ...Object.entries(tests).flatMap(([test, titles]) =>
        titles
          .filter((title) => !codeOf(test).includes(title))
          .map((title) => `${breaks}: there is no test ${JSON.stringify(title)} in ${test}`),
      ),
    ]
  })
}
