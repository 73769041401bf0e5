// A two-step workflow in DBOS Transact, on a PostgreSQL that is started for it.
//
// A separate package, and installed on first use, because only this bench needs it: npm ci --prefix bench/dbos
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { textOf } from './answers.mjs'
import { postgresPrograms, startPostgres } from './postgres.mjs'

const folder = fileURLToPath(new URL('../dbos/', import.meta.url))

/** Returns the workflow as a function, and how to end everything; undefined where PostgreSQL or DBOS is missing. */
export async function startDbos() {
  const programs = postgresPrograms()
  if (programs === undefined) {
    console.error('PostgreSQL is not installed, so nothing is compared with DBOS.')
    return undefined
  }
  try {
    if (!existsSync(join(folder, 'node_modules'))) {
      console.error('Installing DBOS in bench/dbos (once).')
      spawnSync('npm', ['ci', '--prefix', folder], { stdio: ['ignore', 'ignore', 'inherit'] })
    }
    const { resolve } = createRequire(join(folder, 'package.json'))
    const { DBOS } = await import(pathToFileURL(resolve('@dbos-inc/dbos-sdk')).href)
    const postgres = await startPostgres(programs)
    try {
      return await launch(DBOS, postgres)
    } catch (error) {
      await postgres.stop()
      throw error
    }
  } catch (error) {
    console.error(`Nothing is compared with DBOS: ${error.message.split('\n')[0]}`)
    return undefined
  }
}

async function launch(DBOS, postgres) {
  DBOS.setConfig({
    name: 'bench',
    systemDatabaseUrl: postgres.url('bench_dbos_sys'),
    logLevel: 'error',
    runAdminServer: false,
  })
  let answers = 0
  const step = (name) => DBOS.runStep(async () => textOf(++answers), { name })
  const task = DBOS.registerWorkflow(
    async () => {
      await step('one')
      return await step('two')
    },
    { name: 'two steps' },
  )
  await DBOS.launch()
  return {
    task: () => task(),
    async stop() {
      await DBOS.shutdown()
      await postgres.stop()
    },
  }
}
