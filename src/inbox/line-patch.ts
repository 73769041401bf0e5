/** How one text differs from another, line by line, as a patch with line numbers. Pure, and bounded in time and memory. */

/** In a patch of several files, a `head` line names one. */
export type PatchLine = readonly [kind: 'head' | 'hunk' | 'added' | 'removed' | 'same', text: string]

type Edit = readonly [kind: 'same' | 'removed' | 'added', line: string]

/** How many lines around a change are shown. */
const AROUND = 3

/** The hunks of a unified patch: each line with its sign. Empty if the texts are equal. */
export function linePatch(before: string, after: string): readonly PatchLine[] {
  const edits = editsBetween(linesOf(before), linesOf(after))
  const isShown = new Uint8Array(edits.length)
  edits.forEach(([kind], at) => {
    if (kind !== 'same') isShown.fill(1, Math.max(0, at - AROUND), at + AROUND + 1)
  })
  const patch: PatchLine[] = []
  let [oldLine, newLine] = [1, 1]
  for (let at = 0; at < edits.length; ) {
    if (!isShown[at]) {
      at++
      oldLine++
      newLine++
      continue
    }
    const end = isShown.indexOf(0, at)
    const hunk = edits.slice(at, end < 0 ? edits.length : end)
    const oldCount = hunk.filter(([kind]) => kind !== 'added').length
    const newCount = hunk.filter(([kind]) => kind !== 'removed').length
    patch.push(['hunk', `@@ -${range(oldLine, oldCount)} +${range(newLine, newCount)} @@`])
    for (const [kind, line] of hunk) {
      patch.push([kind, `${SIGNS[kind]}${line.replace(/\n$/, '')}`])
      if (!line.endsWith('\n')) patch.push(['same', '\\ No newline at end of file'])
    }
    at += hunk.length
    oldLine += oldCount
    newLine += newCount
  }
  return patch
}

const SIGNS = { same: ' ', removed: '-', added: '+' } as const

/** A range without lines stands behind the line before it. */
const range = (first: number, count: number) => `${count === 0 ? first - 1 : first},${count}`

const linesOf = (text: string): readonly string[] => text.match(/[^\n]*\n|[^\n]+$/g) ?? []

type Lines = readonly string[]

function editsBetween(before: Lines, after: Lines): readonly Edit[] {
  const most = Math.min(before.length, after.length)
  let head = 0
  while (head < most && before[head] === after[head]) head++
  let tail = 0
  while (tail < most - head && before.at(-1 - tail) === after.at(-1 - tail)) tail++
  const middle = (lines: Lines) => lines.slice(head, lines.length - tail)
  const [removed, added] = [middle(before), middle(after)]
  const same = (lines: Lines) => lines.map((line): Edit => ['same', line])
  return [
    ...same(before.slice(0, head)),
    ...(fewestEdits(removed, added) ?? replaced(removed, added)),
    ...same(before.slice(before.length - tail)),
  ]
}

const replaced = (before: Lines, after: Lines): readonly Edit[] => [
  ...before.map((line): Edit => ['removed', line]),
  ...after.map((line): Edit => ['added', line]),
]

/** With more of them, all is replaced: they would take as much time and memory as their number squared. */
const MOST_EDITS = 800

/** The fewest lines that are removed and added (Myers, "An O(ND) Difference Algorithm", 1986); null if they are too many. */
function fewestEdits(before: Lines, after: Lines): readonly Edit[] | null {
  const most = Math.min(MOST_EDITS, before.length + after.length)
  /** How far one gets in `before` on each diagonal, and how far with fewer edits. */
  const reach = new Int32Array(2 * most + 3)
  const earlier: Int32Array[] = []
  const on = (reached: Int32Array, diagonal: number) => reached[diagonal + most + 1] ?? 0
  const isAddition = (reached: Int32Array, edits: number, diagonal: number) =>
    diagonal === -edits || (diagonal !== edits && on(reached, diagonal - 1) < on(reached, diagonal + 1))
  const start = (reached: Int32Array, edits: number, diagonal: number) =>
    isAddition(reached, edits, diagonal) ? on(reached, diagonal + 1) : on(reached, diagonal - 1) + 1

  for (let edits = 0; edits <= most; edits++) {
    earlier.push(reach.slice())
    for (let diagonal = -edits; diagonal <= edits; diagonal += 2) {
      let x = start(reach, edits, diagonal)
      while (x < before.length && x - diagonal < after.length && before[x] === after[x - diagonal]) x++
      reach[diagonal + most + 1] = x
      if (x === before.length && x - diagonal === after.length) return wayBack()
    }
  }
  return null

  function wayBack(): readonly Edit[] {
    const found: Edit[] = []
    let [x, y] = [before.length, after.length]
    for (let edits = earlier.length - 1; edits > 0; edits--) {
      const reached = earlier[edits] ?? reach
      const diagonal = x - y
      for (const from = start(reached, edits, diagonal); x > from; y--)
        found.push(['same', before[--x] ?? ''])
      if (isAddition(reached, edits, diagonal)) found.push(['added', after[--y] ?? ''])
      else found.push(['removed', before[--x] ?? ''])
    }
    while (x > 0) found.push(['same', before[--x] ?? ''])
    return found.reverse()
  }
}
