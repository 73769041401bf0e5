/** Starts a program so that it finds a secret at a descriptor, in a pipe of which it can be read exactly once. */
import { access, constants } from 'node:fs/promises'

export const SECRET_DESCRIPTOR = 3

/**
 * What Node calls a pipe is a socket, which /proc does not let anybody open, and a file could be read again for as long
 * as the program lives. A shell makes a real pipe of a here-document, and then becomes the program: same process, same
 * pid, and the secret is on no command line and in no environment.
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

/** What to start, and what to write to its descriptor, for the program to find the secret there. */
export async function handingOver(
  { path, arguments: given }: Command,
  secret: string | undefined,
): Promise<Command & { readonly written?: Uint8Array }> {
  // A program that is not there is not left to the shell, whose error would say less.
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
