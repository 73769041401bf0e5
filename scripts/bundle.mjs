// Bundles the command with its npm packages into a few files, because most of its start-up time was spent on loading small
// modules. docs/decisions/0016-the-command-is-bundled.md says what that means for the users' modules that it loads.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { basename, dirname, join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'

/**
 * What stays outside: a native addon, the user's OpenTelemetry and pg, a package that executes its own files, and what
 * uses the engine of the cluster, whose packages have to share one `effect`.
 */
const EXTERNAL = [
  ...['level', 'pg', '@opentelemetry/api', 'open'],
  /[/\\](entry-points|cluster)[/\\]cluster\.js$/,
  /^node:/,
  ...builtinModules,
]

/** Packages whose Node entry is CommonJS, which cannot be tree-shaken, and their ES modules. */
const MODULES = Object.fromEntries(
  Object.entries({
    rxjs: 'dist/esm/index.js',
    xstate: 'dist/xstate.esm.js',
    yaml: 'browser/index.js',
    'fastest-levenshtein': 'esm/mod.js',
  }).map(([name, file]) => [
    name,
    fileURLToPath(new URL(`../node_modules/${name}/${file}`, import.meta.url)),
  ]),
)

/**
 * Writes the bundle of the compiled module `main` to `folder`, with the licences of the packages in it.
 *
 * @param root The compiled package. Modules in it may look for files next to themselves.
 * @param constants The values of names that are defined only in the bundle.
 */
export async function bundleCommand({ root, main, folder, constants }) {
  const bundle = await rolldown({
    input: { main },
    cwd: root,
    platform: 'node',
    tsconfig: false,
    external: EXTERNAL,
    resolve: { alias: MODULES },
    transform: { define: constants },
    plugins: [keepModuleUrls(root, dirname(main))],
    onLog(level, log, handle) {
      // A module that is loaded lazily in one place and eagerly in another works as it does without a bundle.
      if (log.code !== 'INEFFECTIVE_DYNAMIC_IMPORT') handle(level === 'warn' ? 'error' : level, log)
    },
  })
  const { output } = await bundle.write({
    dir: folder,
    format: 'esm',
    entryFileNames: '[name].js',
    codeSplitting: { groups: startGroups(root, main) },
    // A chunk built around an index.js is named after its folder, which for the package is a temporary name.
    chunkFileNames: ({ name }) => (name === basename(root) ? 'index.js' : '[name].js'),
    // People read stack traces and bug reports.
    minify: false,
    comments: { legal: true, annotation: false, jsdoc: false },
  })
  await bundle.close()
  for (const { code, fileName } of output) {
    // Errors are recognized by the names of their classes.
    const [renamed] = /\bclass \w*Error\$\d+/.exec(code) ?? []
    if (renamed) throw new Error(`${fileName}: two classes have the same name, so one became ${renamed}`)
  }
  const licenses = licensesOf(output.flatMap(({ moduleIds }) => moduleIds))
  writeFileSync(join(folder, 'third-party-licenses.txt'), licenses)
}

/**
 * What every command imports is one chunk, what most of them read a store with is another, and what they work with a third:
 * Node takes longer to find a file than to parse what it holds.
 */
function startGroups(root, main) {
  const cli = dirname(main)
  return groupsOf({
    start: [join(cli, 'program.js')],
    reading: [
      join(cli, 'session.js'),
      join(cli, 'agent/commands.js'),
      join(root, 'config/configuration.js'),
      join(root, 'remote/live-log.js'),
      join(root, 'actors/agent/list.js'),
    ],
    working: [join(root, 'orchestrator.js')],
  })
}

/** One group of modules by each name: those given and what they import statically, as far as no earlier group has it. */
function groupsOf(roots) {
  return Object.entries(roots).map(([name, given], index) => {
    let members
    return {
      debugName: name,
      priority: 10 - index,
      name(id, modules) {
        members ??= imported(given, modules)
        return members.has(id) ? name : null
      },
    }
  })
}

function imported(roots, modules) {
  const found = new Set()
  const add = (id) => {
    const info = found.has(id) ? null : modules.getModuleInfo(id)
    if (info === null) return
    found.add(id)
    info.importedIds.forEach(add)
  }
  roots.forEach(add)
  return found
}

/** Keeps `import.meta.url` of each module pointing to its original file, so that it finds the files next to it. */
function keepModuleUrls(root, folder) {
  return {
    name: 'keep-module-urls',
    transform(code, id) {
      // A virtual module of the bundler.
      if (id.startsWith('\0')) return null
      const statements = code.replace(/^\s*(\*|\/\*|\/\/).*$/gm, '')
      if (!/\bimport\.meta\b|\b__(dirname|filename)\b/.test(statements)) return null
      if (!id.startsWith(root))
        throw new Error(`${id} looks for files next to itself, so it must stay external`)
      const path = JSON.stringify(relative(folder, id))
      return code.replaceAll('import.meta.url', `new URL(${path}, import.meta.url).href`)
    },
  }
}

/** The licences of all packages that these modules come from: the licences require them. */
function licensesOf(modules) {
  const packages = new Map()
  for (const id of modules) {
    const at = id.lastIndexOf(`${sep}node_modules${sep}`)
    if (at < 0) continue
    const words = id.slice(at).split(sep)
    const name = words.slice(2, words[2].startsWith('@') ? 4 : 3).join('/')
    packages.set(join(id.slice(0, at), 'node_modules', name), name)
  }
  return [...packages]
    .sort(([, one], [, other]) => (one < other ? -1 : 1))
    .map(([path, name]) => {
      const { version, license } = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8'))
      const file = readdirSync(path).find((each) => /^licen[cs]e/i.test(each))
      if (file === undefined && license === undefined) throw new Error(`${path} has no licence`)
      const text = file === undefined ? '' : `\n\n${readFileSync(join(path, file), 'utf8').trim()}`
      return `${name} ${version} (${license})${text}\n`
    })
    .join(`\n${'-'.repeat(80)}\n\n`)
}
