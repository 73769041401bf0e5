/** A law that did not hold. */
export class Violation extends Error {
  /** What should have held, in a few words. Two violations of one law count as the same when a script is shrunk. */
  readonly law: string
  /** What happened instead. */
  readonly problem: string

  constructor(law: string, problem: string, options: ErrorOptions = {}) {
    super(`${law}: ${problem}`, options)
    this.name = 'Violation'
    this.law = law
    this.problem = problem
  }
}
