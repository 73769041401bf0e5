import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { sortTests } from './tests/quick-tests.ts'

const { quick, others, alone } = sortTests()
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
        },
      },
      {
        extends: true,
        test: {
          name: 'processes',
          include: [...others.keys()].filter((file) => !alone.includes(file)),
          setupFiles: ['tests/each-file.ts'],
          globalSetup: ['tests/built-package.ts', 'tests/cli/quick-claude.ts', 'tests/postgres/server.ts'],
        },
      },
      {
        extends: true,
        test: {
          name: 'alone',
          include: alone,
          setupFiles: ['tests/each-file.ts'],
          globalSetup: ['tests/built-package.ts', 'tests/cli/quick-claude.ts'],
          isolate: true,
        },
      },
    ],
    reporters: ['default', './tests/evidence.ts'],
    // Loading the sources anew for each file takes longer than many of them.
    isolate: false,
    // What is waited for takes its time on a busy machine.
    expect: { poll: { timeout: 60_000 } },
    testTimeout: 120_000,
    hookTimeout: 60_000,
    // On two cores: half of them wait for a process, a disk or a delay most of the time.
    maxWorkers: 4,
  },
})
