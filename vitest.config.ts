import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { sortTests } from './tests/quick-tests.ts'

const { quick } = sortTests()
const source = (path: string) => fileURLToPath(new URL(path, import.meta.url))

export default defineConfig({
  resolve: {
    // Code in the docs and the examples imports the package by its name, and is run as it stands.
    alias: [
      { find: /^claude-multi-agent$/, replacement: source('./src/index.ts') },
      { find: /^claude-multi-agent\/(\w+)$/, replacement: source('./src/entry-points/$1.ts') },
    ],
  },
  test: {
    projects: [
      {
        extends: true,
        test: {
          name: 'quick',
          include: quick,
          setupFiles: ['tests/no-processes.ts'],
          // Loading the sources anew for each file took more than half of the time.
          isolate: false,
        },
      },
      {
        extends: true,
        test: {
          name: 'processes',
          include: ['tests/**/*.test.ts'],
          exclude: quick,
          globalSetup: ['tests/built-package.ts', 'tests/postgres/server.ts'],
        },
      },
    ],
    reporters: ['default', './tests/evidence.ts'],
    testTimeout: 120_000,
    hookTimeout: 60_000,
    // On two cores: one of three waits for a process, a disk or a delay most of the time.
    maxWorkers: 3,
  },
})
