/** The responses of the inspector's server: plain JSON, bounded whatever the log holds. */
import type { Json } from '../events/json.ts'
import type { PatchLine } from '../inbox/line-patch.ts'
import type { FormView, InboxView, OffersView, OfferView, ProposalView } from './acts/view.ts'

/** The colour of a fact or a state. */
export type Tone = 'good' | 'bad' | 'warn' | 'call' | 'plain'

/** The whole log, as far as the server has read it. */
export interface LogView {
  readonly storeId: string
  /** The last position of the log. */
  readonly head: number
  /** The last position in the index. */
  readonly indexed: number
  /** The number of streams and of types; `/api/names` lists them. */
  readonly streams: number
  readonly types: number
  /** The first of the records that cannot be read. */
  readonly broken: readonly BrokenRecord[]
  /** Why the server has stopped reading the log, such as a closed store; null while it follows it. */
  readonly ended: string | null
}

export interface BrokenRecord {
  readonly position: number
  readonly problem: string
}

/** The names to filter by. */
export interface NamesView {
  readonly types: readonly string[]
  readonly streams: readonly string[]
}

/** An actor in the list, as of the moment that is shown. */
export interface ActorRow {
  readonly stream: string
  readonly kind: string
  readonly id: string
  /** What people call it: the name of a run's workflow, or its id. */
  readonly label: string
  /** The beginning of what a run was asked; empty for everything else. */
  readonly asked: string
  readonly status: string
  readonly tone: Tone
  /** An agent's unfinished tasks; a run's scheduled steps. */
  readonly load: number
  /** An agent's answers; a run's finished steps. */
  readonly done: number
  readonly tokens: number
  readonly costUsd: number
  readonly version: number
  /** The position of its last fact. */
  readonly position: number
}

export interface Totals {
  readonly agents: number
  readonly busy: number
  readonly waiting: number
  readonly failing: number
  readonly runs: number
  readonly calls: number
  readonly retries: number
  readonly failures: number
  readonly tokens: number
  readonly costUsd: number
}

/** A fact in the list. */
export interface FactLine {
  readonly position: number
  readonly at: string
  readonly stream: string
  /** What people call its actor. */
  readonly label: string
  readonly version: number
  readonly type: string
  readonly tone: Tone
  readonly brief: string
  /** The states before and after it; null if they are equal or unknown. */
  readonly change: readonly [from: string, to: string] | null
  /** Why it cannot be read; null if it can. */
  readonly problem: string | null
}

/** A fact in full. */
export interface FactView extends FactLine {
  readonly v: number
  readonly epoch: number
  readonly correlationId: string | null
  readonly causationId: string | null
  /** The position of the fact that caused this one. */
  readonly causePosition: number | null
  /** Whether it tells of changes to an agent's files: `/api/changes?actor=S&at=P` returns them. */
  readonly changesFiles: boolean
  /** Long texts are truncated; `bodies` locates them in full. */
  readonly data: Json
  readonly bodies: readonly BodyLocation[]
}

/** A text too long to be part of the response: `/api/body?position=P&path=data.text` returns it in pieces. */
export interface BodyLocation {
  readonly path: string
  readonly length: number
}

export interface BodyView {
  readonly text: string
  readonly offset: number
  /** Where the next piece begins: hidden characters that are shown make `text` longer than its part. */
  readonly end: number
  /** The length of the full text, in characters. */
  readonly length: number
}

export interface FactPage {
  /** How many facts match up to `searchedTo`. */
  readonly total: number
  readonly searchedTo: number
  readonly offset: number
  readonly lines: readonly FactLine[]
}

/** Everything that the page shows of one moment. */
export interface MomentView {
  readonly position: number
  readonly at: string
  readonly log: LogView
  readonly actors: readonly ActorRow[]
  /** How many actors are not in `actors`. */
  readonly moreActors: number
  readonly totals: Totals
  readonly accounts: readonly AccountView[]
  readonly fact: FactView | null
  readonly actor: ActorView | null
  /** The fact's index among the matching facts; if it does not match, that of the last match before it. */
  readonly ordinal: number
}

/** What was known of an account's limits at a moment. */
export interface AccountView {
  readonly account: string
  readonly windows: readonly {
    readonly name: string
    readonly status: string
    /** 1 is all of it; null if unknown. */
    readonly utilization: number | null
    readonly resetsAt: string | null
  }[]
  /** Until when it waited; null if it did not. */
  readonly waitsUntil: string | null
  /** Why it could not pay; null if it could. */
  readonly said: string | null
}

/** An actor as of a moment. */
export interface ActorView {
  readonly stream: string
  readonly label: string
  readonly asked: string
  readonly version: number
  readonly status: string
  readonly tone: Tone
  /** Why its state is unknown; null if it is known. */
  readonly problem: string | null
  readonly chart: ChartView | null
  readonly last: {
    readonly type: string
    readonly from: string
    readonly to: string
    readonly at: string
  } | null
  /** The state's data, with long texts truncated. */
  readonly context: Json
  /** An agent's files; null if none were saved. */
  readonly files: FilesAt | null
  /** An agent's calls, if they were requested. */
  readonly sessions: readonly SessionNode[]
  readonly moreSessions: boolean
  /** A run's steps, if they were requested. */
  readonly run: RunView | null
}

/** What the log has of an agent's files at a moment. */
export interface FilesAt {
  /** The newest snapshot. */
  readonly snapshot: string
  /** The position of the last turn, or of what has changed the files since; null if nothing has. */
  readonly changes: number | null
}

export interface ChartView {
  readonly initial: string
  readonly states: readonly { readonly name: string; readonly tone: Tone }[]
  readonly transitions: readonly { readonly from: string; readonly to: string; readonly fact: string }[]
}

/** A call and its session. */
export interface SessionNode {
  readonly sessionId: string
  readonly parentSessionId: string | null
  readonly taskId: string
  /** The beginning of what was asked; empty if that was not read. */
  readonly asked: string
  readonly startedAt: string
  readonly attempt: number
  readonly outcome: 'open' | 'succeeded' | 'deferred' | 'failed' | 'unknown'
  /** The positions of its start and, once it has ended, of its end. */
  readonly position: number
  readonly endPosition: number | null
  readonly durationMs: number | null
  readonly costUsd: number
  readonly problem: string | null
}

export interface RunView {
  readonly name: string
  readonly startedAt: string
  readonly durationMs: number
  readonly costUsd: number
  readonly steps: readonly StepNode[]
  readonly moreSteps: number
}

export interface StepNode {
  /** Its number in the run, from 0. */
  readonly index: number
  readonly agent: string
  readonly worker: string
  readonly taskId: string
  readonly state: 'scheduled' | 'succeeded' | 'failed' | 'cancelled'
  readonly position: number
  readonly endPosition: number | null
  /** Since the start of the run. */
  readonly startMs: number
  readonly durationMs: number | null
  readonly costUsd: number
  readonly tokens: number
  readonly problem: string | null
  /** The calls of its task, including retries. */
  readonly calls: readonly SessionNode[]
}

/** A text of a fact: its beginning, and where the rest of it is. */
export interface TextView {
  readonly text: string
  /** Where the rest of it begins, and the length of all of it, in characters. */
  readonly end: number
  readonly length: number
  readonly position: number
  readonly path: string
  /** Why it cannot be shown; null if it can. */
  readonly problem: string | null
}

/** A bar of the waterfall. */
export interface StepLine extends Omit<StepNode, 'calls' | 'taskId'> {
  /** The steps whose answers are quoted in what it was asked. */
  readonly uses: readonly number[]
}

/** The page of a run. The texts of its steps are asked for when they are looked at. */
export interface RunPageView {
  readonly stream: string
  readonly id: string
  readonly name: string
  readonly status: string
  readonly tone: Tone
  /** It goes no further by itself. */
  readonly isOver: boolean
  /** It stopped, and has something left to ask. */
  readonly isResumable: boolean
  /** The version that is shown, and the newest one. */
  readonly version: number
  readonly newestVersion: number
  /** Of its last fact. */
  readonly position: number
  readonly startedAt: string
  /** When it ended or was paused; null while it runs. */
  readonly endedAt: string | null
  /** When it was resumed, since its start. */
  readonly resumedMs: readonly number[]
  readonly costUsd: number
  readonly tokens: number
  readonly session: string | null
  readonly counts: Readonly<Record<StepNode['state'], number>>
  readonly prompt: TextView | null
  readonly textInput: TextView | null
  readonly material: Json
  readonly output: TextView | null
  /** Why it was paused or cancelled. */
  readonly reason: string | null
  readonly errors: readonly { readonly agent: string; readonly problem: string }[]
  /** The run that it was forked from. */
  readonly forkedFrom: string | null
  readonly forks: readonly ForkLine[]
  readonly steps: readonly StepLine[]
  /** How many earlier steps are not in `steps`. */
  readonly moreSteps: number
}

/** What was forked from an actor, and at which version of it. */
export interface ForkLine {
  readonly id: string
  readonly label: string
  readonly version: number | null
}

export interface StepPage {
  readonly steps: readonly StepBrief[]
}

/** What a step was asked and answered, each on one line. */
export interface StepBrief {
  readonly index: number
  readonly asked: string
  readonly answered: string
}

/** A step in full. */
export interface StepDetails {
  readonly taskId: string
  /** Names it for `fork --run`. */
  readonly stepKey: string
  readonly prompt: TextView | null
  readonly textInput: TextView | null
  readonly answer: TextView | null
  /** The version of its worker that answered; null if it is not known. */
  readonly agentVersion: number | null
  readonly calls: readonly SessionNode[]
  /** null while its run is executed. */
  readonly fork: OfferView | null
}

/** The page of an agent: its conversation, the newest turns of it. */
export interface ConversationView {
  readonly stream: string
  readonly id: string
  readonly status: string
  readonly tone: Tone
  /** The version that is shown, and the newest one. */
  readonly version: number
  readonly newestVersion: number
  readonly position: number
  /** Tasks that wait or run. */
  readonly open: number
  readonly answers: number
  readonly tokens: number
  readonly costUsd: number
  readonly config: Json
  /** Whether `/api/tools` can tell which tools its calls used. */
  readonly hasTools: boolean
  readonly forkedFrom: { readonly id: string; readonly version: number } | null
  readonly forks: readonly ForkLine[]
  /** In their order. */
  readonly entries: readonly (TurnView | ConversationEvent)[]
  /** The version up to which there are earlier entries; null if there are none. */
  readonly before: number | null
}

/** A task and what became of it. */
export interface TurnView {
  readonly kind: 'turn'
  readonly taskId: string
  /** As `agent diff --turn` counts; null if it was not answered. */
  readonly number: number | null
  readonly state: 'waiting' | 'held' | 'running' | 'retrying' | 'succeeded' | 'failed' | 'cancelled'
  readonly at: string
  readonly startedAt: string | null
  readonly endedAt: string | null
  readonly position: number
  readonly version: number
  readonly endPosition: number | null
  readonly endVersion: number | null
  /** The run that asked. */
  readonly run: { readonly id: string; readonly label: string } | null
  readonly prompt: TextView | null
  readonly textInput: TextView | null
  readonly answer: TextView | null
  /** Why it waits, or how it ended other than with an answer. */
  readonly note: string | null
  readonly costUsd: number
  readonly tokens: number
  readonly model: string | null
  readonly calls: readonly SessionNode[]
  readonly tools: readonly ToolLine[]
  /** How many files it changed, added and removed: `/api/changes?actor=S&at=P` has the patch. */
  readonly files: {
    readonly position: number
    readonly changed: number
    readonly added: number
    readonly removed: number
  } | null
  /** null unless it was answered. */
  readonly fork: OfferView | null
}

export interface ToolLine {
  readonly tool: string
  /** Empty where it is not told again. */
  readonly input: string
  /** What became of it. */
  readonly what: string
  readonly position: number
}

/** The tools of a call, as the transcript of its session tells them. */
export interface ToolsView {
  /** Why they are not known; null if they are. */
  readonly problem: string | null
  readonly tools: readonly {
    readonly tool: string
    readonly input: string
    /** null if it did not answer. */
    readonly result: string | null
    readonly isError: boolean
  }[]
}

/** What happened to the agent between its turns. */
export interface ConversationEvent {
  readonly kind: 'event'
  readonly type: string
  readonly tone: Tone
  readonly position: number
  readonly version: number
  readonly at: string
  readonly detail: string
}

/** One lane per actor over a range of the log, with one column per pixel. */
export interface TimelineView {
  readonly from: number
  readonly to: number
  readonly axis: 'order' | 'time'
  readonly columns: number
  /** When the first and the last fact of the range were written, in milliseconds since the epoch. */
  readonly fromMs: number
  readonly toMs: number
  readonly lanes: readonly Lane[]
  readonly statuses: readonly { readonly name: string; readonly tone: Tone }[]
  readonly moreLanes: number
  /** How many lanes of removed copies are left out. */
  readonly removedLanes: number
  /** For the time axis: the last position of each column. */
  readonly positions: readonly number[]
}

/** A lane's size does not depend on the number of facts: neighbouring columns are merged when it is crowded. */
export interface Lane {
  readonly stream: string
  readonly kind: string
  readonly label: string
  readonly asked: string
  /** `status` is an index into `statuses`. */
  readonly spans: readonly (readonly [fromColumn: number, toColumn: number, status: number])[]
  /** The columns that have a mark, by kind. */
  readonly marks: Readonly<Partial<Record<MarkKind, readonly number[]>>>
  readonly counts: Readonly<Partial<Record<MarkKind, number>>>
  /** More happened than can be drawn individually. */
  readonly crowded: boolean
}

export type MarkKind = 'call' | 'retry' | 'failure' | 'answer'

/** The files of an agent as they were at a moment. */
export interface FilesView {
  /** Why they cannot be shown; null if they can. */
  readonly problem: string | null
  readonly total: number
  /** How many match the search. The first of them are in `files`. */
  readonly matching: number
  readonly files: readonly FileLine[]
}

export interface FileLine {
  /** Names the file in requests, whatever its path is. */
  readonly key: string
  readonly path: string
  readonly kind: 'file' | 'program' | 'link' | 'submodule'
  readonly bytes: number
}

/** One file as it was at a moment. */
export interface FileView {
  /** Why it cannot be shown; null if it can. */
  readonly problem: string | null
  /** null if the snapshot does not have it. */
  readonly file: FileLine | null
  /** Its beginning, or where a link leads; null if that is not text. */
  readonly text: string | null
  /** How many bytes follow. */
  readonly moreBytes: number
}

/** How the files of an agent differ between two snapshots. */
export interface ChangesView {
  /** Why they cannot be shown; null if they can. */
  readonly problem: string | null
  /** What has changed them. */
  readonly by: 'turn' | 'call' | 'hand' | 'undo' | 'failure' | 'fork' | 'landing' | 'all'
  /** The number of the turn; null if it is none. */
  readonly turn: number | null
  readonly total: number
  /** In lines. */
  readonly added: number
  readonly removed: number
  /** How many match the search. The first of them are in `files`. */
  readonly matching: number
  readonly files: readonly ChangeLine[]
  /** The file that the patch is limited to; null if it has all of them. */
  readonly only: string | null
  readonly patch: readonly PatchLine[]
  readonly moreLines: number
  /** Whether there are even more than `moreLines`. */
  readonly isMore: boolean
}

export interface ChangeLine {
  readonly key: string
  readonly path: string
  readonly status: 'added' | 'changed' | 'removed'
  /** In lines; null if it is binary, or too large to be compared. */
  readonly added: number | null
  readonly removed: number | null
}

/** Write activity over the whole log, one number per column. */
export interface OverviewView {
  readonly head: number
  readonly facts: readonly number[]
  readonly problems: readonly number[]
  readonly broken: readonly number[]
}

/** What happens now, and what happened lately. */
export interface SummaryView {
  readonly log: LogView
  /** Runs and agents at work, the newest first. */
  readonly working: readonly WorkLine[]
  readonly moreWorking: number
  /** What failed since the last of the given instants, the newest first. */
  readonly failures: readonly FailureLine[]
  readonly moreFailures: number
  /** What was spent from each of the given instants to the next, and from the last one on. */
  readonly spentUsd: readonly number[]
  readonly answers: readonly number[]
  readonly accounts: readonly AccountView[]
  /** The runs that ended last, the newest first. */
  readonly ended: readonly WorkLine[]
}

/** Something that failed, and the state of its actor now. */
export interface FailureLine extends FactLine {
  readonly now: string
  readonly nowTone: Tone
}

/** An actor at work, or that has worked. */
export interface WorkLine extends ActorRow {
  /** When it began what it does. */
  readonly since: string
  /** When it ended; null if it has not. */
  readonly endedAt: string | null
}

/** A part of the list of runs or of agents. */
export interface ActorsPage {
  readonly total: number
  /** How many are in each state. */
  readonly counts: Readonly<Record<string, number>>
  readonly rows: readonly WorkLine[]
}

/** Where a text was found in prompts and answers, the newest first. */
export interface SearchView {
  readonly total: number
  readonly searchedTo: number
  /** The last position of the log. */
  readonly head: number
  readonly hits: readonly SearchHit[]
}

export interface SearchHit {
  readonly position: number
  readonly version: number
  readonly at: string
  readonly stream: string
  readonly label: string
  /** Whether it was found in what was asked or answered. */
  readonly where: 'asked' | 'answered'
  /** The text around the match. */
  readonly before: string
  readonly match: string
  readonly after: string
}

/** The response of each `/api/...`. */
export interface Answers {
  readonly moment: MomentView
  readonly facts: FactPage
  readonly body: BodyView
  readonly timeline: TimelineView
  readonly overview: OverviewView
  readonly run: RunPageView | null
  readonly steps: StepPage
  readonly step: StepDetails | null
  readonly conversation: ConversationView | null
  readonly tools: ToolsView
  readonly summary: SummaryView
  readonly search: SearchView
  readonly actors: ActorsPage
  readonly names: NamesView
  readonly files: FilesView
  readonly file: FileView
  readonly changes: ChangesView
  readonly inbox: InboxView
  readonly entry: BodyView
  readonly offers: OffersView
  readonly proposal: ProposalView
  readonly form: FormView
}
