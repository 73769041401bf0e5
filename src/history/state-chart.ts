/** A machine as data that can be drawn: its states, and the facts that lead from one to another. */
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

/** The chart of a machine with flat states, as in this package. A nested state counts as its outermost one. */
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
