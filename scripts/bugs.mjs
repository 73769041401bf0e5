// The bugs that `npm run simulate:planted` plants in a copy, one at a time, and that the simulation must find.
const AGENT = 'src/actors/agent'
const ADMISSION = 'src/actors/admission'

/** What goes wrong, the file, the text and what replaces it. */
export const BUGS = [
  {
    bug: 'recovery ignores the answer',
    file: `${AGENT}/call.ts`,
    from: 'return answered(recovered.result, true)',
    to: "return { type: 'CallOutcomeUnknown', error: callErrorData(new OutcomeUnknownError()) }",
  },
  {
    bug: 'an unanswered call is taken as unsent',
    file: `${AGENT}/call.ts`,
    from: "case 'unanswered':\n",
    to: "case 'unanswered':\n      return undefined\n",
  },
  {
    bug: 'a decision on a tool call is forgotten',
    file: `${AGENT}/tasks/deferral.ts`,
    from: 'if (!decided) return undefined',
    to: 'if (!decided || tool !== ASK_HUMAN) return undefined',
  },
  {
    bug: 'another task begins in the middle of a turn',
    file: `${AGENT}/tasks/deferral.ts`,
    from: 'return begun.length === 0 ? queue : begun',
    to: 'return queue',
  },
  {
    bug: 'commit ids are forgotten',
    file: 'src/actors/engine/actor.ts',
    from: 'return commitId === undefined ? append : { commitId, isNew, ...append }',
    to: 'return append',
  },
  {
    bug: 'open task ids are not reused',
    file: 'src/patterns/runs/durable-ask.ts',
    from: "const isOpen = before?.state === 'scheduled'",
    to: 'const isOpen = false',
  },
  {
    bug: 'a reservation is settled for the reserved amount',
    file: `${ADMISSION}/budget-settlement.ts`,
    from: "return { usd, tokens, outcome: spending.estimated ? 'estimated' : 'spent' }",
    to: 'return undefined',
  },
  {
    bug: 'a queue is partly last in, first out',
    file: `${AGENT}/state.ts`,
    from: 'queue: [...queue, { cause, ...task }]',
    to: 'queue: queue.length > 1 ? [{ cause, ...task }, ...queue] : [...queue, { cause, ...task }]',
  },
  {
    bug: 'budgets are blind to reservations',
    file: `${ADMISSION}/budget-ledger.ts`,
    from: 'remaining: remaining(limit, [spentSoFar, inFlight])',
    to: 'remaining: remaining(limit, [spentSoFar])',
  },
  {
    bug: 'late answers are dropped',
    // However they come: at once, after their task, or found by the next process.
    file: `${AGENT}/call-endings.ts`,
    from: 'return this.#record(() => this.#keepLate(of, ending, admitted))',
    to: 'return this.#record(async () => void [of, ending, admitted, this.#keepLate])',
  },
  {
    bug: 'places of the governor leak',
    file: `${ADMISSION}/governor.ts`,
    from: 'this.#inFlight -= 1',
    to: 'this.#inFlight -= account === undefined ? 1 : 0',
  },
  {
    bug: 'the restart intensity is off by one',
    file: 'src/actors/supervision/restart-intensity.ts',
    from: 'recent.length > maxRestarts',
    to: 'recent.length > maxRestarts + 1',
  },
  {
    bug: 'a retry is dropped',
    file: `${AGENT}/decisions.ts`,
    from: 'attempt - excused <= retriesAfter(',
    to: 'attempt - excused < retriesAfter(',
  },
  {
    bug: "a snapshot is used that is not its machine's",
    file: 'src/actors/engine/history.ts',
    from: 'if (saved?.fingerprint !== kind.fingerprint) return',
    to: 'if (!saved) return',
  },
  {
    bug: 'a message that is sent again is received twice',
    file: `${AGENT}/mailbox/mailbox.ts`,
    from: "commitIdOf('message', this.#agent, messageId)",
    to: "commitIdOf('message', this.#agent, messageId, this.#environment.newId())",
  },
  {
    bug: 'a message that is given back loses its place',
    file: `${AGENT}/mailbox/unread.ts`,
    from: '[...back.map(returned), ...unread]',
    to: '[...unread, ...back.map(returned)]',
  },
  {
    bug: 'a message whose task failed is lost',
    file: `${AGENT}/mailbox/unread.ts`,
    from: 'const back = readBy(task)',
    to: 'const back = readBy(task).slice(0, 0)',
  },
]
