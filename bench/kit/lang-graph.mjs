// A two-step task in LangGraph.js with its SQLite checkpointer, which is installed on first use.
//
// better-sqlite3 may have to be compiled, which takes minutes, so this is a separate package and not a dependency of the
// project. To install it by hand: npm ci --prefix bench/langgraph
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { textOf } from './answers.mjs'
import { withDirectory } from './measuring.mjs'

const folder = fileURLToPath(new URL('../langgraph/', import.meta.url))

/** Installs LangGraph.js if necessary and loads it; undefined if that fails. */
export async function loadLangGraph() {
  if (!existsSync(join(folder, 'node_modules'))) {
    console.error('Installing LangGraph.js in bench/langgraph (once); this may take minutes.')
    spawnSync('npm', ['ci', '--prefix', folder], { stdio: ['ignore', 'ignore', 'inherit'] })
  }
  try {
    const { resolve } = createRequire(join(folder, 'package.json'))
    const load = (module) => import(pathToFileURL(resolve(module)).href)
    const graph = await load('@langchain/langgraph')
    const sqlite = await load('@langchain/langgraph-checkpoint-sqlite')
    // Opened once to check that the native binding was built.
    sqlite.SqliteSaver.fromConnString(':memory:').db.close()
    return { ...graph, ...sqlite }
  } catch (error) {
    console.error(`LangGraph.js is not installed: ${error.message.split('\n')[0]}`)
    return undefined
  }
}

/**
 * Passes a function to `work` that runs a two-step task in a new thread. Commits wait for the disk, which they do not by
 * default: better-sqlite3 sets `synchronous = NORMAL` with a WAL.
 */
export const withTwoStepTask = (langGraph, work) =>
  withDirectory(async (directory) => {
    const { Annotation, StateGraph, START, END, SqliteSaver } = langGraph
    const checkpointer = SqliteSaver.fromConnString(join(directory, 'checkpoints.sqlite'))
    checkpointer.setup()
    checkpointer.db.pragma('synchronous = FULL')
    const State = Annotation.Root({ task: Annotation(), first: Annotation(), second: Annotation() })
    let answers = 0
    const graph = new StateGraph(State)
      .addNode('one', () => ({ first: textOf(++answers) }))
      .addNode('two', () => ({ second: textOf(++answers) }))
      .addEdge(START, 'one')
      .addEdge('one', 'two')
      .addEdge('two', END)
      .compile({ checkpointer })
    let thread = 0
    try {
      await work(async () => {
        const config = { configurable: { thread_id: `task-${++thread}` }, durability: 'sync' }
        const { second } = await graph.invoke({ task: 'go' }, config)
        if (!second) throw new Error('LangGraph.js did not finish its task')
      })
    } finally {
      checkpointer.db.close()
    }
  })
