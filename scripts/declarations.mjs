/** Reads the exports of an entry point of the built package, with their docstrings, from the `.d.ts` files. */
import { readFileSync } from 'node:fs'
import { basename, dirname, resolve } from 'node:path'
import { parseSync } from 'vite'

/**
 * @typedef {object} Declaration
 * @property {string} name The exported name.
 * @property {'class' | 'function' | 'constant' | 'type'} kind
 * @property {string} file The file that declares it.
 * @property {string} doc The docstring without its example.
 * @property {string} example The code of the docstring's example.
 * @property {string} code Its signature.
 * @property {string | null} base The class that it extends.
 * @property {{ name: string, last: string[] } | null} madeBy If a function creates that class: the name of its type, and
 *   the properties of its last type argument.
 */

/** @returns {Declaration[]} Sorted by name. */
export function exportsOf(entry) {
  const found = [...exportedFrom(entry)].map(([name, { file, local }]) => declaration(name, file, local))
  return found.sort((one, other) => one.name.localeCompare(other.name, 'en'))
}

const modules = new Map()

/** A file with its declarations by name, its imports, and what it exports. */
function moduleAt(file) {
  const known = modules.get(file)
  if (known) return known
  const text = readFileSync(file, 'utf8')
  const { program, comments } = parseSync(file, text, { lang: 'dts' })
  const pathOf = ({ value }) =>
    value.startsWith('.') ? resolve(dirname(file), value.replace(/\.ts$/, '.d.ts')) : null
  const module = { text, comments, declared: new Map(), imported: new Map(), exported: [], everythingOf: [] }
  for (const node of program.body) {
    if (node.type === 'ImportDeclaration') {
      for (const { local, imported } of node.specifiers)
        if (imported) module.imported.set(local.name, { file: pathOf(node.source), local: imported.name })
    } else if (node.type === 'ExportAllDeclaration') module.everythingOf.push(pathOf(node.source))
    else if (node.type === 'ExportNamedDeclaration' && node.declaration === null) {
      const from = node.source ? pathOf(node.source) : file
      for (const { local, exported } of node.specifiers)
        module.exported.push({ name: exported.name, file: from, local: local.name })
    } else {
      const declared = node.declaration ?? node
      for (const { id } of declared.declarations ?? [declared]) {
        if (!id) continue
        module.declared.set(id.name, [
          ...(module.declared.get(id.name) ?? []),
          { ...declared, start: node.start },
        ])
        if (node.type === 'ExportNamedDeclaration')
          module.exported.push({ name: id.name, file, local: id.name })
      }
    }
  }
  modules.set(file, module)
  return module
}

function exportedFrom(file) {
  const { exported, everythingOf } = moduleAt(file)
  const names = new Map(everythingOf.flatMap((other) => [...exportedFrom(other)]))
  for (const { name, file: from, local } of exported) if (from) names.set(name, { file: from, local })
  return names
}

/** The declaration of a name in a file, following imports. Null for a name from another package. */
function resolved(file, local) {
  const { declared, imported, exported } = moduleAt(file)
  const nodes = declared.get(local)
  if (nodes) return { file, local, nodes }
  const from = imported.get(local) ?? exported.find(({ name, file: from }) => name === local && from !== file)
  return from?.file ? resolved(from.file, from.local) : null
}

const KINDS = { ClassDeclaration: 'class', VariableDeclaration: 'constant' }
const isFunction = ({ type }) => type === 'TSDeclareFunction' || type === 'FunctionDeclaration'

function declaration(name, exporter, exportedAs) {
  const { file, local, nodes } = resolved(exporter, exportedAs)
  const [node] = nodes
  const docs = nodes.map((each) => docstring(file, each)).filter((doc) => doc !== '')
  const [doc = '', example = ''] = (docs[0] ?? '').split(/^@example[ \n]/m)
  const code = nodes.map((each) => signature(file, each)).join('\n')
  return {
    name,
    kind: isFunction(node) ? 'function' : (KINDS[node.type] ?? 'type'),
    file,
    doc: doc.trim() || (named(file) === name.toLowerCase() ? header(file) : ''),
    example: example.trim(),
    code: name === local ? code : code.replace(new RegExp(`\\b${local}\\b`), name),
    base: node.superClass?.name ?? null,
    madeBy: node.superClass ? classType(resolved(file, node.superClass.name)) : null,
  }
}

/**
 * The opening comment of a file, which describes the export that the file is named after. Read from the source, because
 * the compiler drops some of them.
 */
function header(file) {
  const source = file.replace('/dist/', '/src/').replace(/\.d\.ts$/, '.ts')
  const [, comment] = /^\/\*(\*.*?)\*\//s.exec(readFileSync(source, 'utf8')) ?? []
  return comment === undefined ? '' : withoutStars(comment)
}

const named = (file) => basename(file, '.d.ts').replaceAll('-', '')
const withoutStars = (comment) =>
  comment
    .slice(1)
    .replace(/^ *\* ?/gm, '')
    .trim()

/** The comment right before a declaration, unless it is the opening comment of the file. */
function docstring(file, { start }) {
  const { text, comments } = moduleAt(file)
  const comment = comments.findLast(({ end }) => end <= start)
  if (!comment?.value.startsWith('*') || text.slice(comment.end, start).trim() !== '') return ''
  const doc = withoutStars(comment.value)
  return comment.start === 0 && doc === header(file) ? '' : doc
}

const annotation = (node) => node.declarations?.[0]?.id.typeAnnotation?.typeAnnotation

function classType(found) {
  const type = found && annotation(found.nodes[0])
  if (!type) return null
  const name = (type.typeName ?? type.qualifier)?.name ?? null
  return { name, last: propertiesOf(found.file, type.typeArguments?.params.at(-1)) }
}

/** The names of the properties of an object type. */
function propertiesOf(file, type) {
  if (type?.type === 'TSIntersectionType') return type.types.flatMap((each) => propertiesOf(file, each))
  if (type?.type === 'TSTypeReference')
    return resolved(file, type.typeName.name)?.nodes.flatMap(({ body }) => keys(body?.body)) ?? []
  return keys(type?.members)
}

const keys = (members = []) => members.map(({ key }) => key.name)

function signature(file, node) {
  const { text } = moduleAt(file)
  const type = annotation(node)
  // The types that xstate infers fill pages and explain nothing.
  if (type && text.slice(type.start, type.end).startsWith('import("xstate").StateMachine<'))
    return `${text.slice(node.start, type.start)}StateMachine;`
  if (!node.body?.body) return text.slice(node.start, node.end)
  const inherited = [node.superClass, ...(node.extends ?? []).map(({ expression }) => expression)]
    .filter((parent) => parent?.type === 'Identifier')
    .map((parent) => resolved(file, parent.name))
    .filter((parent) => parent !== null && isHidden(parent))
    .flatMap(({ file: from, nodes }) =>
      nodes.filter((each) => each.body?.body).map((each) => members(from, each)),
    )
  return `${text.slice(node.start, node.body.start)}{\n${[members(file, node), ...inherited].join('\n')}\n}`
}

/** A base class that is not exported is shown as part of the class that extends it. */
const isHidden = ({ local }) => !PUBLIC.has(local)
export const PUBLIC = new Set()

/** The public members of a class or an interface, with their docstrings. */
function members(file, { body }) {
  const { text, comments } = moduleAt(file)
  return body.body
    .filter(
      ({ key, accessibility }) =>
        key?.type !== 'PrivateIdentifier' && !['private', 'protected'].includes(accessibility),
    )
    .map(({ start, end }) => {
      const comment = comments.findLast((each) => each.end <= start)
      const isOwn = comment && comment.start > body.start && text.slice(comment.end, start).trim() === ''
      return text.slice(isOwn ? comment.start : start, end)
    })
    .join('\n')
}
