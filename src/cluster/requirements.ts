/** The engine of the cluster is loaded where it is used: it needs packages that are optional, and a newer Node. */
import { codeOf } from '../events/errors/phrases.ts'
import { InvalidInputError } from '../events/errors/usage.ts'

const OLDEST_NODE = [22, 19] as const

/** @throws InvalidInputError */
export function refuseOldNode(version: string): void {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1])) return
  throw new InvalidInputError({
    what: 'Node.js',
    problem: `its version ${version} is too old for a cluster`,
    hint: `Use Node ${OLDEST_NODE.join('.')} or newer.`,
  })
}

const PACKAGES: readonly string[] = [
  'pg',
  '@effect/platform-node/NodeClusterSocket',
  '@effect/sql-pg/PgClient',
]

/** Throws InvalidInputError for a Node that is too old, or a package that is missing. */
export const requireEngine = (node: string): Promise<unknown> =>
  loaded(() => Promise.all(PACKAGES.map((name) => import(name))), node)

/** Loads what uses the engine. Throws InvalidInputError if it is not installed. */
export async function loaded<T>(load: () => Promise<T>, node = process.versions.node): Promise<T> {
  refuseOldNode(node)
  try {
    return await load()
  } catch (cause) {
    if (codeOf(cause) !== 'ERR_MODULE_NOT_FOUND') throw cause
    const hint = 'npm install pg@~8.23.1 @effect/platform-node @effect/sql-pg'
    throw new InvalidInputError(
      { what: 'cluster', problem: 'its packages are not installed', hint },
      { cause },
    )
  }
}
