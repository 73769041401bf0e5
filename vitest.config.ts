import { fileURLToPath } from 'node:url'
import { defineConfig, type UserWorkspaceConfig } from 'vitest/config'
import { sortTests } from './tests/quick-tests.ts'

const { quick, others, alone } = sortTests()
const source = (path: string) => fileURLToPath(new URL(path, import.meta.url))

/** A project of its own, which does not read this file again as one that extends it would. */
const project = (test: UserWorkspaceConfig['test']): UserWorkspaceConfig => ({
  resolve: {
    // Code in the docs and the examples imports the package by its name, and is run as it stands.
    alias: [
      { find: /^claude-multi-agent$/, replacement: source('./src/index.ts') },
      { find: /^claude-multi-agent\/(\w+)$/, replacement: source('./src/entry-points/$1.ts') },
    ],
  },
  test: {
    // Loading the sources anew for each file takes longer than many of them.
    isolate: false,
    // What is waited for takes its time on a busy machine.
    expect: { poll: { timeout: 60_000 } },
    testTimeout: 120_000,
    hookTimeout: 60_000,
    ...test,
  },
})

export default defineConfig({
  test: {
    projects: [
      project({
        name: 'quick',
        include: quick,
        globalSetup: ['tests/surroundings.ts'],
        setupFiles: ['tests/each-file.ts', 'tests/no-processes.ts'],
      }),
      project({
        name: 'processes',
        include: [...others.keys()].filter((file) => !alone.includes(file)),
        setupFiles: ['tests/each-file.ts'],
        globalSetup: [
          'tests/surroundings.ts',
          'tests/built-package.ts',
          'tests/cli/quick-claude.ts',
          'tests/postgres/server.ts',
        ],
      }),
      project({
        name: 'alone',
        include: alone,
        setupFiles: ['tests/each-file.ts'],
        globalSetup: ['tests/surroundings.ts', 'tests/built-package.ts', 'tests/cli/quick-claude.ts'],
        isolate: true,
      }),
    ],
    reporters: ['default', './tests/evidence.ts'],
    // What has been transformed is kept in node_modules: one project takes it from another, and a run from the one before.
    experimental: { fsModuleCache: true },
    // On two cores: more than half of them wait for a process, a disk or a delay most of the time.
    maxWorkers: 5,
  },
})
