/** Passes a secret to a program through a descriptor: a pipe that can be read exactly once. */
import { access, constants } from 'node:fs/promises'

export const SECRET_DESCRIPTOR = 3

/**
 * Node's pipes are sockets, which /proc refuses to open, and a file could be read again while the program runs. So a
 * shell makes a real pipe from a here-document and then execs the program: same process, same pid, and the secret is
 * on no command line and in no environment.
 */
const HAND_OVER = `IFS= read -r secret <&${SECRET_DESCRIPTOR}
exec ${SECRET_DESCRIPTOR}<<END
$secret
END
unset secret
exec "$@"`

export interface Command {
  readonly path: string
  readonly arguments: readonly string[]
}

/** What to spawn, and what to write to its descriptor, so that the program finds the secret there. */
export async function withSecret(
  { path, arguments: given }: Command,
  secret: string | undefined,
): Promise<Command & { readonly written?: Uint8Array }> {
  // A missing program is not left to the shell, whose error would say less.
  if (secret === undefined || !(await isExecutable(path))) return { path, arguments: given }
  return {
    path: '/bin/sh',
    arguments: ['-c', HAND_OVER, 'sh', path, ...given],
    written: new TextEncoder().encode(`${secret}\n`),
  }
}

const isExecutable = (path: string) =>
  access(path, constants.X_OK).then(
    () => true,
    () => false,
  )
