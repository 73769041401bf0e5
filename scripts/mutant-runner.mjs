// Runs tests of a copy of the project for scripts/mutants.mjs, each time with another edit of one source file. Vitest stays, so
// that only what an edit changes is transformed again; the tests run in a new process each time.
import { readFileSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { transformWithOxc } from 'vite'
import { createVitest } from 'vitest/node'

const root = fileURLToPath(new URL('..', import.meta.url))

let passed = []
let failed = []
const reporter = {
  onTestCaseResult(test) {
    const { state, errors } = test.result()
    if (state === 'passed') passed.push(test.fullName)
    if (state === 'failed') failed.push({ test: test.fullName, error: errors[0]?.message })
  },
  onTestModuleEnd(module) {
    // Such as an edit with which a file cannot be loaded, or a hook that fails.
    if (module.state() !== 'failed') return
    for (const { message } of module.errors()) failed.push({ test: module.moduleId, error: message })
  },
  onTestRunEnd(_modules, errors) {
    for (const { message } of errors) failed.push({ test: 'no test', error: message })
  },
}

const vitest = await createVitest('test', {
  ...{ root, watch: false, cache: false, maxWorkers: 1, bail: 1, reporters: [reporter] },
  // What is kept in node_modules is of the project, and never found again for a copy.
  experimental: { fsModuleCache: false },
})
const projects = new Map()
for (const { moduleId, project } of await vitest.globTestSpecifications()) projects.set(moduleId, project)

process.on('message', async ({ edit, patterns, testMs }) => {
  passed = []
  failed = []
  for (const { config } of vitest.projects)
    Object.assign(config, { testTimeout: testMs, hookTimeout: testMs })
  const undo = edit ? await apply(edit) : () => {}
  try {
    const specifications = Object.entries(patterns).map(([file, pattern]) => {
      const path = join(root, file)
      return projects.get(path).createSpecification(path, { testNamePattern: new RegExp(pattern) })
    })
    await vitest.runTestSpecifications(specifications)
    undo()
    process.send({ passed, failed })
  } catch (error) {
    undo()
    process.send({ problem: String(error?.stack ?? error) })
  }
})

/** Edits a source file and its compiled module. Returns the function that undoes it. */
async function apply({ file, from, to }) {
  const source = join(root, file)
  const module = join(root, file.replace(/^src\//, 'dist/').replace(/\.ts$/, '.js'))
  const before = [source, module].map((path) => [path, readFileSync(path, 'utf8')])
  const text = before[0][1].replace(from, () => to)
  write([
    [source, text],
    [module, await compiled(source, text)],
  ])
  return () => write(before)
}

function write(files) {
  for (const [path, text] of files) writeFileSync(path, text)
  vitest.invalidateFile(files[0][0])
  // Newer than its sources: it is not built before the tests that run it.
  utimesSync(join(root, 'dist/index.js'), new Date(), new Date())
}

async function compiled(source, text) {
  const { code } = await transformWithOxc(text, source, {
    sourcemap: false,
    typescript: { rewriteImportExtensions: true, onlyRemoveTypeImports: true },
  })
  return code
}
