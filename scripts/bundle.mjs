// Bundles the command with its npm packages into few files: most of its start was the loading of small modules.
// docs/decisions/0016-the-command-is-bundled.md says what that means for the modules of users that it loads.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { builtinModules } from 'node:module'
import { basename, dirname, join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'

/** Stay packages beside the bundle: a native addon, the user's own OpenTelemetry, one that runs a file of its own. */
const EXTERNAL = ['level', '@opentelemetry/api', 'open', /^node:/, ...builtinModules]

/** What these give to Node is CommonJS: all of it would be loaded. Their modules can be taken apart. */
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
 * Writes to `folder` the program that begins with the compiled module `main`, and the licences of what it contains.
 *
 * @param root The compiled package: modules in it may look for files beside themselves.
 * @param constants The values of names that only the bundle defines.
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
    plugins: [keepPlaces(root, dirname(main))],
    onLog(level, log, handle) {
      // Loaded lazily in one place and at once in another: as it is without a bundle.
      if (log.code !== 'INEFFECTIVE_DYNAMIC_IMPORT') handle(level === 'warn' ? 'error' : level, log)
    },
  })
  const { output } = await bundle.write({
    dir: folder,
    format: 'esm',
    entryFileNames: '[name].js',
    // A chunk that was made around an index.js has the name of its folder; that of the package is a temporary one.
    chunkFileNames: ({ name }) => (name === basename(root) ? 'index.js' : '[name].js'),
    // Stack traces and bug reports are read by people.
    minify: false,
    comments: { legal: true, annotation: false, jsdoc: false },
  })
  await bundle.close()
  for (const { code, fileName } of output) {
    // An error is told by the name of its class.
    const [renamed] = /\bclass \w*Error\$\d+/.exec(code) ?? []
    if (renamed) throw new Error(`${fileName}: two classes have the name of ${renamed}`)
  }
  const licenses = licensesOf(output.flatMap(({ moduleIds }) => moduleIds))
  writeFileSync(join(folder, 'third-party-licenses.txt'), licenses)
}

/** A module of the package finds the files beside it from the bundle as well: its URL is still that of its own file. */
function keepPlaces(root, folder) {
  return {
    name: 'keep-places',
    transform(code, id) {
      // The bundler's own.
      if (id.startsWith('\0')) return null
      const statements = code.replace(/^\s*(\*|\/\*|\/\/).*$/gm, '')
      if (!/\bimport\.meta\b|\b__(dirname|filename)\b/.test(statements)) return null
      if (!id.startsWith(root))
        throw new Error(`${id} looks for files beside itself: it has to stay external`)
      const place = JSON.stringify(relative(folder, id))
      return code.replaceAll('import.meta.url', `new URL(${place}, import.meta.url).href`)
    },
  }
}

/** The licences of all packages that these modules come from, as they ask for. */
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
