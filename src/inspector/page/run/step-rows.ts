/** The steps of a run as the rows of a list. Pure. */
import type { StepLine } from '../../view.ts'

export interface ShownStep {
  readonly step: StepLine
  /** How far it is indented. */
  readonly depth: number
}

/**
 * In order: as they began. As a tree: under the step that was last of those whose answers it quotes. A chain of single
 * steps is not indented: only where a step has several below it, they branch off.
 */
export function stepRows(steps: readonly StepLine[], order: 'order' | 'tree'): readonly ShownStep[] {
  if (order === 'order') return steps.map((step) => ({ step, depth: 0 }))
  const known = new Set(steps.map(({ index }) => index))
  const below = new Map<number, StepLine[]>()
  for (const step of steps) {
    const parents = step.uses.filter((index) => index < step.index && known.has(index))
    const parent = Math.max(-1, ...parents)
    const siblings = below.get(parent) ?? []
    below.set(parent, siblings)
    siblings.push(step)
  }
  const rows: ShownStep[] = []
  const open: ShownStep[] = (below.get(-1) ?? []).map((step) => ({ step, depth: 0 })).reverse()
  for (let row = open.pop(); row !== undefined; row = open.pop()) {
    rows.push(row)
    const { step, depth } = row
    const children = below.get(step.index) ?? []
    const deeper = depth + (children.length > 1 ? 1 : 0)
    for (const child of [...children].reverse()) open.push({ step: child, depth: deeper })
  }
  return rows
}
