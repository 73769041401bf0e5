/** The requests about what can be done: which forms there are, and a form that is sent. */
import { InvalidInputError } from '../../events/errors/usage.ts'
import { isJsonObject } from '../../events/json.ts'
import { foldTo } from '../index/track.ts'
import { type Inspected, type RequestHandler, RequestParameters } from '../requests.ts'
import type { Acting } from './acting.ts'
import { actOnce } from './actions.ts'
import { Forms } from './forms.ts'
import { actingView, entryText, inboxView, proposal } from './inbox.ts'
import { offersOfActor } from './offers.ts'
import type { DoneView, FormView, OffersView } from './view.ts'

/** Where forms are sent to. */
export const ACT = '/api/act'

/** In bytes. */
export const LARGEST_FORM = 512 * 1024

export class ActRequests {
  readonly #acting: Acting
  readonly #forms = new Forms<DoneView>()

  constructor(acting: Acting) {
    this.#acting = acting
  }

  /** The handlers of what is only read, by path. */
  readonly reading: Readonly<Record<string, RequestHandler>> = {
    '/api/inbox': () => inboxView(this.#acting),
    '/api/entry': (_, parameters) =>
      entryText(
        this.#acting,
        parameters.text('id', 300),
        parameters.text('path', 500),
        parameters.number('offset', 0),
      ),
    '/api/proposal': ({ files }, parameters) =>
      proposal(this.#acting, parameters.text('id', 300), files.baseDir),
    '/api/offers': (inspected, parameters) => this.#offers(inspected, parameters.text('actor')),
    '/api/form': async (): Promise<FormView> => ({
      ...(await actingView(this.#acting)),
      form: this.#forms.issue(),
    }),
  }

  async #offers({ store, index }: Inspected, stream: string): Promise<OffersView> {
    const track = index.track(stream)
    const last = track?.lastUpTo(index.position) ?? 0
    // Without a known state nothing is offered.
    if (!track || last === 0 || track.damage) return { offers: [] }
    const state = await foldTo(store, track, index.table.version(last))
    const isWaiting = async (run: string) =>
      (await this.#acting.inbox()).some((entry) => entry.kind === 'run' && entry.run === run)
    return { offers: await offersOfActor(store, stream, state, isWaiting) }
  }

  /** Carries out the form in a body. */
  async act(body: string): Promise<DoneView> {
    return actOnce(this.#acting, this.#forms, new RequestParameters(new URLSearchParams(fieldsIn(body))))
  }
}

/** A flat object of texts. Throws InvalidInputError. */
function fieldsIn(body: string): Readonly<Record<string, string>> {
  const refused = new InvalidInputError({ what: 'The form', problem: 'it is not a JSON object of texts' })
  let fields: unknown
  try {
    fields = JSON.parse(body)
  } catch {
    throw refused
  }
  if (!isJsonObject(fields) || Object.values(fields).some((value) => typeof value !== 'string')) throw refused
  return fields as Readonly<Record<string, string>>
}
