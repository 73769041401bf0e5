/**
 * Before the tests: what of the machine would only take time. Their temporary files are in memory where there is room, because
 * stores and repositories write and sync all the time: `TMPDIR=/tmp npm test` writes to the disk, and so does `npm run faults`.
 */
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdtempSync, readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const IN_MEMORY = '/dev/shm'
const TMPFS = 0x01021994
/** In bytes: many times what the tests write. */
const ROOM = 4 * 2 ** 30
/** Short, because sockets have short paths; with the process, because memory that a killed one has left is taken back. */
const NAME = /^cma-(\d+)-/

export function setup(): (() => void) | undefined {
  // Node 20 reads these certificates at each start, for half as long as it takes without; no test talks to another machine.
  delete process.env.NODE_EXTRA_CA_CERTS
  // Another project has made it, or it was chosen.
  if (process.env.TMPDIR) return
  const folder = folderInMemory()
  if (folder === undefined) return
  process.env.TMPDIR = folder
  return () => {
    delete process.env.TMPDIR
    remove(folder)
  }
}

/** For everyone, as the usual one is; undefined if there is no room, or none that programs are started from. */
export function folderInMemory(parent = IN_MEMORY): string | undefined {
  let folder: string | undefined
  try {
    const { type, bavail, bsize } = statfsSync(parent)
    if (type !== TMPFS) return undefined
    removeLeft(parent)
    if (bavail * bsize < ROOM) return undefined
    folder = mkdtempSync(join(parent, `cma-${process.pid}-`))
    chmodSync(folder, 0o1777)
    const program = join(folder, 'program')
    writeFileSync(program, '#!/bin/sh\n', { mode: 0o700 })
    execFileSync(program)
    rmSync(program)
    return folder
  } catch {
    if (folder !== undefined) remove(folder)
    return undefined
  }
}

function removeLeft(parent: string): void {
  for (const name of readdirSync(parent)) {
    const pid = Number(NAME.exec(name)?.[1])
    if (pid && !isAlive(pid)) remove(join(parent, name))
  }
}

/** Also one of another user. */
function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'
  }
}

/** What others still remove from it meanwhile is no failure. */
const remove = (folder: string) => rmSync(folder, { recursive: true, force: true, maxRetries: 10 })
