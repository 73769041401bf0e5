/** Before each file of tests: at its end, nothing of it is left for those that run in the same process. */
import { afterAll, vi } from 'vitest'
import { endFile, nothingSpins } from './end-of-file.ts'

if (process.env.SLOW_DISK) await import('./slow-disk.ts')

afterAll(async () => {
  vi.unstubAllEnvs()
  await endFile()
  await nothingSpins()
})
