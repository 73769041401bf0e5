/** Whether a directory can be written to: found out by writing, before the log is closed for being opened again. */
import { randomUUID } from 'node:crypto'
import { open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { FILE_MODE } from '../directory.ts'

/** What LevelDB may write when it is opened: its log becomes a table. */
const ROOM_BYTES = 4 * 1024 * 1024

/** Throws what the system says when there is no room. */
export async function checkRoomToWrite(directory: string): Promise<void> {
  const path = join(directory, `room.${randomUUID()}`)
  const file = await open(path, 'wx', FILE_MODE)
  try {
    await file.writeFile(Buffer.alloc(ROOM_BYTES))
    await file.sync()
  } finally {
    await file.close()
    await rm(path, { force: true })
  }
}
