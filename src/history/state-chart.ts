/** A machine's definition as data that can be drawn: its states, and which fact leads from one to another. */
import type { AnyStateMachine } from 'xstate'

export interface ChartTransition {
  readonly from: string
  readonly to: string
  /** The type of the fact. */
  readonly fact: string
}

export interface StateChart {
  readonly initial: string
  readonly states: readonly string[]
  /** A fact that leaves the state as it is has `to` equal to `from`. */
  readonly transitions: readonly ChartTransition[]
}

/** Of a machine whose states are flat, as those of this package are; a nested state counts as its outermost one. */
export function stateChart(machine: AnyStateMachine): StateChart {
  const states = Object.values(machine.states)
  const found = new Map<string, ChartTransition>()
  for (const { key: from, transitions } of states) {
    for (const { eventType: fact, target } of [...transitions.values()].flat()) {
      const to = target?.[0]?.path[0] ?? from
      found.set(`${from} ${fact} ${to}`, { from, to, fact })
    }
  }
  return {
    initial: machine.root.initial.target[0]?.path[0] ?? '',
    states: states.map(({ key }) => key),
    transitions: [...found.values()],
  }
}
