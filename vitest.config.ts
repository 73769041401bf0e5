import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['tests/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // Two cores, and the end-to-end tests start a 240 MB program: more workers only wait for each other.
    maxWorkers: 2,
  },
})
