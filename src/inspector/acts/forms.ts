/** Forms: each is issued by this server and carried out once. Sent again, it does nothing and gets the first answer. */
import { randomBytes } from 'node:crypto'
import { FormNotOpenError } from '../../events/errors/inspector.ts'

/** Open and sent forms together. A page that opens more has left the first ones behind. */
const MOST_FORMS = 1000

export class Forms<Answer> {
  /** The answer of each that was sent; null for one that is open. The oldest first. */
  readonly #forms = new Map<string, Promise<Answer> | null>()

  /** A new form. Its id is a task id as well, so that what it asks for is asked once, even across restarts. */
  issue(): string {
    const id = `form-${randomBytes(16).toString('hex')}`
    const [oldest] = this.#forms.size < MOST_FORMS ? [] : this.#forms.keys()
    if (oldest !== undefined) this.#forms.delete(oldest)
    this.#forms.set(id, null)
    return id
  }

  /** Carries a form out, or gives the answer that it had. Throws FormNotOpenError for one that was not issued here. */
  send(id: string, act: () => Promise<Answer>): Promise<Answer> {
    const sent = this.#forms.get(id)
    if (sent === undefined) return Promise.reject(new FormNotOpenError({}))
    const answer = sent ?? act()
    this.#forms.set(id, answer)
    return answer
  }
}
