// Two-step runs as one would write them by hand on SQLite: two commits a step, each shared with whatever else waits by then.
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { withDirectory } from './measuring.mjs'

const COMMITS_PER_RUN = 4

/** Passes a function to `work` that writes the next run's share of the facts. */
export const withGroupedCommits = (facts, work) =>
  withDirectory(async (directory) => {
    const { resolve } = createRequire(fileURLToPath(new URL('../langgraph/package.json', import.meta.url)))
    const { default: Database } = await import(resolve('better-sqlite3'))
    const database = new Database(join(directory, 'facts.sqlite'))
    database.pragma('journal_mode = WAL')
    database.pragma('synchronous = FULL')
    database.exec(
      'CREATE TABLE facts (position INTEGER PRIMARY KEY, stream TEXT, version INTEGER, fact TEXT, UNIQUE (stream, version))',
    )
    const insert = database.prepare('INSERT INTO facts VALUES (?, ?, ?, ?)')
    let waiting = []
    const commitAll = database.transaction((commits) => {
      for (const { rows } of commits) for (const each of rows) insert.run(...each)
    })
    const flush = () => {
      const commits = waiting
      waiting = []
      commitAll(commits)
      for (const { done } of commits) done()
    }
    let position = 0
    const commit = (count) =>
      new Promise((done) => {
        const rows = []
        for (let number = 0; number < count; number++) {
          const fact = facts[position % facts.length]
          position++
          rows.push([position, fact.stream, position, JSON.stringify(fact)])
        }
        if (waiting.push({ rows, done }) === 1) setImmediate(flush)
      })
    const factsPerRun = Math.round(facts.length / facts.filter(({ type }) => type === 'RunStarted').length)
    try {
      await work(async () => {
        for (let number = 0; number < COMMITS_PER_RUN; number++)
          await commit(Math.floor((factsPerRun + number) / COMMITS_PER_RUN))
      })
    } finally {
      database.close()
    }
  })
