import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { sortTests } from './tests/quick-tests.ts'

const { quick, others } = sortTests()
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
          setupFiles: ['tests/each-file.ts', 'tests/no-processes.ts'],
          // Loading the sources anew for each file took more than half of the time.
          isolate: false,
        },
      },
      {
        extends: true,
        test: {
          name: 'processes',
          include: [...others.keys()],
          setupFiles: ['tests/each-file.ts'],
          globalSetup: ['tests/built-package.ts', 'tests/postgres/server.ts'],
        },
      },
    ],
    reporters: ['default', './tests/evidence.ts'],
    // What is waited for takes its time on a busy machine.
    expect: { poll: { timeout: 60_000 } },
    testTimeout: 120_000,
    hookTimeout: 60_000,
    // On two cores: one of three waits for a process, a disk or a delay most of the time.
    maxWorkers: 3,
  },
})
