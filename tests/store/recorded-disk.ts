/**
 * The states in which a power loss may leave a disk: everything that a program did to its files, recorded in order by
 * strace, and applied up to any step.
 *
 * What a file system keeps, by the weakest rules of those in use (ext4, xfs and btrfs with their defaults):
 * - Data of a file survives for certain once `fsync` or `fdatasync` of that file has returned.
 * - A name survives for certain once its directory, or a new file under that name, was synced.
 * - Of everything else any part may survive: of the names in a directory a prefix in order, of the writes to a file a
 *   prefix, the last of them cut at a sector.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'

const SECTOR = 512

/** Whether programs can be recorded here. */
export const canRecord = spawnSync('strace', ['-f', 'true']).status === 0

interface File {
  readonly writes: Write[]
  /** How many of the writes survive for certain. */
  synced: number
}

type Write = { readonly offset: number; readonly bytes: Buffer } | { readonly length: number }

/** A change of the names in a directory: a file or a directory (null) gets a name, or a name is gone (undefined). */
interface NameChange {
  readonly path: string
  /** Its directory, under the name that this has by now. */
  directory: string
  readonly becomes: File | null | undefined
  /** The other half of a renaming: both happen or neither. */
  readonly from?: string
  isSynced: boolean
}

/** How much of what was not synced survives. */
export interface Survival {
  names(count: number): number
  writes(count: number): number
  sectors(count: number): number
}

/** Nothing survives that was not synced. */
export const nothing: Survival = { names: () => 0, writes: () => 0, sectors: () => 0 }

/** @param random A whole number below its argument. */
export const something = (random: (below: number) => number): Survival => ({
  names: (count) => random(count + 1),
  writes: (count) => random(count + 1),
  sectors: (count) => random(count + 1),
})

/** What was done up to some step. */
export class Disk {
  readonly #root: string
  readonly #changes: NameChange[] = []
  readonly #files = new Map<string, File>()

  /** The files that are below `root` by now have survived until now. */
  constructor(root: string) {
    this.#root = root
    for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name)
      if (entry.isDirectory()) this.makeDirectory(path)
      if (!entry.isFile()) continue
      this.create(path).writes.push({ offset: 0, bytes: readFileSync(path) })
    }
    for (const file of this.#files.values()) file.synced = 1
    for (const change of this.#changes) change.isSynced = true
  }

  create(path: string): File {
    const file: File = { writes: [], synced: 0 }
    this.#files.set(path, file)
    this.#change(path, file)
    return file
  }

  makeDirectory(path: string): void {
    this.#change(path, null)
  }

  link(from: string, path: string): void {
    const file = this.#files.get(from)
    if (!file) throw new Error(`${from} is linked, but was not made while the disk was recorded`)
    this.#files.set(path, file)
    this.#change(path, file)
  }

  remove(path: string): void {
    this.#files.delete(path)
    this.#change(path, undefined)
  }

  rename(from: string, path: string): void {
    moveAll(this.#files, from, path)
    for (const change of this.#changes) {
      if (isWithin(change.directory, from)) change.directory = path + change.directory.slice(from.length)
    }
    this.#change(path, this.#files.get(path) ?? null, from)
  }

  #change(path: string, becomes: NameChange['becomes'], from?: string): void {
    const directory = dirname(path)
    this.#changes.push({ path, directory, becomes, ...(from !== undefined && { from }), isSynced: false })
  }

  find(path: string): File | undefined {
    return this.#files.get(path)
  }

  syncDirectory(path: string): void {
    for (const change of this.#changes) if (change.directory === path) change.isSynced = true
  }

  syncName(file: File): void {
    for (const change of this.#changes) {
      if (change.becomes === file && change.from === undefined) change.isSynced = true
    }
  }

  /** Writes to `target` what may be found after a power loss. */
  writeTo(target: string, survival: Survival): void {
    rmSync(target, { recursive: true, force: true })
    mkdirSync(target, { recursive: true })
    for (const [path, file] of this.#namesAfter(survival)) {
      const place = join(target, relative(this.#root, path))
      mkdirSync(file === null ? place : dirname(place), { recursive: true })
      if (file !== null) writeFileSync(place, contentOf(file, survival))
    }
  }

  #namesAfter(survival: Survival): Map<string, File | null> {
    const kept = new Map<string, number>()
    for (const each of new Set(this.#changes.map(({ directory }) => directory))) {
      const open = this.#changes.filter(({ directory, isSynced }) => directory === each && !isSynced)
      kept.set(each, survival.names(open.length))
    }
    const names = new Map<string, File | null>()
    for (const { path, directory, becomes, from, isSynced } of this.#changes) {
      if (!isSynced) {
        const left = kept.get(directory) ?? 0
        if (left === 0) continue
        kept.set(directory, left - 1)
      }
      if (from !== undefined) moveAll(names, from, path)
      if (becomes === undefined) names.delete(path)
      else names.set(path, becomes)
    }
    return names
  }
}

const isWithin = (path: string, directory: string) => path === directory || path.startsWith(`${directory}/`)

/** Moves a name and everything below it. */
function moveAll<Value>(names: Map<string, Value>, from: string, to: string): void {
  for (const [name, value] of [...names].filter(([name]) => isWithin(name, from))) {
    names.delete(name)
    names.set(to + name.slice(from.length), value)
  }
}

function contentOf({ writes, synced }: File, survival: Survival): Buffer {
  const more = survival.writes(writes.length - synced)
  let content: Buffer = Buffer.alloc(0)
  for (const [index, write] of writes.slice(0, synced + more).entries()) {
    if ('length' in write) {
      content = resized(content, write.length)
      continue
    }
    const { offset } = write
    const isTorn = index >= synced && index === synced + more - 1
    const bytes = isTorn ? torn(write.bytes, offset, survival) : write.bytes
    if (offset + bytes.length > content.length) content = resized(content, offset + bytes.length)
    bytes.copy(content, offset)
  }
  return content
}

/** As much of the last write as reached the disk, in whole sectors. */
function torn(bytes: Buffer, offset: number, survival: Survival): Buffer {
  const first = Math.floor(offset / SECTOR)
  const last = Math.ceil((offset + bytes.length) / SECTOR)
  const end = (first + survival.sectors(last - first)) * SECTOR
  return bytes.subarray(0, Math.max(0, Math.min(bytes.length, end - offset)))
}

const resized = (content: Buffer, length: number) =>
  length <= content.length
    ? content.subarray(0, length)
    : Buffer.concat([content, Buffer.alloc(length - content.length)])

/** A point at which the power may go: after a call that changed or synced something, or after the program said something. */
export interface Moment {
  readonly disk: Disk
  /** What the program has printed so far, by lines. */
  readonly said: readonly string[]
  /** Whether something became certain or was said by the last call. */
  readonly isNews: boolean
  /** The last call, for messages. */
  readonly call: string
}

const TRACED =
  'openat,open,creat,close,write,pwrite64,writev,pwritev,pwritev2,ftruncate,truncate,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,rmdir,mkdir,mkdirat,link,linkat,dup,dup2,dup3,fcntl,clone,clone3,fork,vfork,copy_file_range,sendfile'

/** Runs a program that works below `root`, and yields every moment at which the power may go. */
export function* moments(root: string, trace: string, command: readonly string[]): Generator<Moment> {
  const recording = new Recording(root)
  const options = ['-f', '-xx', '-s', '100000000', '-e', `trace=${TRACED}`, '-o', trace]
  const [file = '', ...args] = command
  execFileSync('strace', [...options, '-E', 'UV_USE_IO_URING=0', file, ...args], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  for (const call of callsIn(readFileSync(trace, 'latin1'))) yield* recording.see(call)
}

interface Call {
  readonly thread: number
  readonly name: string
  readonly args: string
  /** What the call returned; null while it has only begun. */
  readonly result: number | null
}

/** Every beginning of a sync, and every end of a call that succeeded, in order. */
function* callsIn(text: string): Generator<Call> {
  const begun = new Map<number, string>()
  for (const line of text.split('\n')) {
    const [, id, rest = ''] = /^(\d+) +(.*)$/.exec(line) ?? []
    const thread = Number(id)
    const unfinished = /^(.*) <unfinished \.\.\.>$/.exec(rest)
    if (unfinished) {
      const opening = unfinished[1] ?? ''
      begun.set(thread, opening)
      const [, name, args] = /^(f(?:data)?sync)\((\d+)/.exec(opening) ?? []
      if (name && args) yield { thread, name, args, result: null }
      continue
    }
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest)
    const whole = resumed ? `${begun.get(thread)}${resumed[1]}` : rest
    const [, name, args, result] = /^(\w+)\((.*)\) += (-?\d+)/.exec(whole) ?? []
    if (!name || args === undefined || Number(result) < 0) continue
    if (!resumed && name.endsWith('sync')) yield { thread, name, args, result: null }
    yield { thread, name, args, result: Number(result) }
  }
}

interface Opened {
  readonly path: string
  /** Missing for a directory. */
  readonly file?: File
  offset: number
  readonly appends: boolean
}

type Descriptors = Map<number, Opened>

class Recording {
  readonly #root: string
  readonly #disk: Disk
  readonly #descriptors = new Map<number, Descriptors>()
  /** How much of a file was written when a sync of it began, by thread. */
  readonly #syncing = new Map<number, number>()
  #said = ''

  constructor(root: string) {
    this.#root = root
    this.#disk = new Disk(root)
  }

  *see(call: Call): Generator<Moment> {
    const change = this.#apply(call)
    if (change === 'none') return
    yield {
      disk: this.#disk,
      said: this.#said.split('\n').slice(0, -1),
      isNews: change === 'news',
      call: `${call.name}(${call.args.replace(/"[^"]*"/g, textOf).slice(0, 200)})`,
    }
  }

  #apply({ thread, name, args, result }: Call): 'none' | 'change' | 'news' {
    const paths = pathsIn(args).filter((path) => isWithin(path, this.#root))
    const [path = '', second = ''] = paths
    const descriptors = this.#descriptorsOf(thread)
    const number = Number(/^\d+/.exec(args)?.[0] ?? -1)
    const opened = descriptors.get(number)
    switch (name) {
      case 'clone':
      case 'clone3':
      case 'fork':
      case 'vfork':
        this.#descriptors.set(result ?? 0, args.includes('CLONE_FILES') ? descriptors : new Map(descriptors))
        return 'none'
      case 'open':
      case 'openat':
      case 'creat':
        descriptors.delete(result ?? -1)
        return path === '' ? 'none' : this.#open(path, args, descriptors, result ?? -1)
      case 'close':
        descriptors.delete(number)
        return 'none'
      case 'dup':
      case 'dup2':
      case 'dup3':
      case 'fcntl':
        if (name === 'fcntl' && !args.includes('F_DUPFD')) return 'none'
        if (opened) descriptors.set(result ?? -1, opened)
        else descriptors.delete(result ?? -1)
        return 'none'
      case 'write':
      case 'writev':
      case 'pwrite64':
      case 'pwritev':
      case 'pwritev2':
        return this.#write(number, opened, name, args, result ?? 0)
      case 'ftruncate':
        if (!opened?.file) return 'none'
        opened.file.writes.push({ length: Number(args.split(', ')[1]) })
        return 'change'
      case 'fsync':
      case 'fdatasync':
        return this.#sync(thread, opened, result)
      case 'mkdir':
      case 'mkdirat':
        if (path === '') return 'none'
        this.#disk.makeDirectory(path)
        return 'change'
      case 'unlink':
      case 'unlinkat':
      case 'rmdir':
        if (path === '') return 'none'
        this.#disk.remove(path)
        return 'change'
      case 'link':
      case 'linkat':
        if (path === '') return 'none'
        this.#disk.link(path, second)
        return 'change'
      case 'rename':
      case 'renameat':
      case 'renameat2':
        if (path === '') return 'none'
        this.#disk.rename(path, second)
        return 'change'
      default:
        if (paths.length > 0 || opened) throw new Error(`${name} is not known to the recorded disk: ${args}`)
        return 'none'
    }
  }

  #descriptorsOf(thread: number): Descriptors {
    const known = this.#descriptors.get(thread) ?? new Map()
    this.#descriptors.set(thread, known)
    return known
  }

  #open(path: string, args: string, descriptors: Descriptors, descriptor: number): 'none' | 'change' {
    if (args.includes('O_DIRECTORY') && !args.includes('O_CREAT')) {
      descriptors.set(descriptor, { path, offset: 0, appends: false })
      return 'none'
    }
    const known = this.#disk.find(path)
    if (!known && !args.includes('O_CREAT')) {
      descriptors.set(descriptor, { path, offset: 0, appends: false })
      return 'none'
    }
    const file = known ?? this.#disk.create(path)
    const truncates = known !== undefined && args.includes('O_TRUNC')
    if (truncates) file.writes.push({ length: 0 })
    descriptors.set(descriptor, { path, file, offset: 0, appends: args.includes('O_APPEND') })
    return known === undefined || truncates ? 'change' : 'none'
  }

  #write(
    number: number,
    opened: Opened | undefined,
    name: string,
    args: string,
    written: number,
  ): 'none' | 'change' | 'news' {
    const bytes = Buffer.concat(stringsIn(args)).subarray(0, written)
    if (!opened) {
      if (number !== 1) return 'none'
      this.#said += bytes.toString()
      return 'news'
    }
    const { file } = opened
    if (!file) return 'none'
    const isPositioned = name.startsWith('p')
    const positioned = Number(args.split(', ').at(name === 'pwritev2' ? -2 : -1))
    const following = opened.appends ? sizeOf(file) : opened.offset
    const offset = isPositioned ? positioned : following
    file.writes.push({ offset, bytes })
    if (!isPositioned) opened.offset = offset + written
    return 'change'
  }

  #sync(thread: number, opened: Opened | undefined, result: number | null): 'none' | 'news' {
    if (!opened) return 'none'
    const { file, path } = opened
    if (result === null) {
      this.#syncing.set(thread, file?.writes.length ?? 0)
      return 'none'
    }
    if (file) {
      file.synced = Math.max(file.synced, this.#syncing.get(thread) ?? 0)
      this.#disk.syncName(file)
    } else this.#disk.syncDirectory(path)
    return 'news'
  }
}

function sizeOf({ writes }: File): number {
  let size = 0
  for (const write of writes)
    size = 'length' in write ? write.length : Math.max(size, write.offset + write.bytes.length)
  return size
}

const stringsIn = (args: string): Buffer[] =>
  [...args.matchAll(/"([^"]*)"/g)].map(([, hex = '']) => Buffer.from(hex.replaceAll('\\x', ''), 'hex'))

/** The paths among the arguments. Those of calls that begin with a descriptor are data. */
const pathsIn = (args: string): string[] => (/^\d+,/.test(args) ? [] : stringsIn(args).map(String))

const textOf = (quoted: string) => basename(stringsIn(quoted).map(String).join(''))
