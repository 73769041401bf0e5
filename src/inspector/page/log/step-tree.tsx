/** A run's steps with the cost and time of each, and under each step its calls. */
import { dollars, duration } from '../../../events/figures.ts'
import type { RunView, StepNode } from '../../view.ts'
import { number } from '../parts/words.ts'
import { visitFact } from './address.ts'
import { CallLine } from './session-tree.tsx'

export function StepTree({ run }: { readonly run: RunView }) {
  const length = Math.max(1, run.durationMs)
  return (
    <div class="steps-of">
      <p class="sum">
        <strong>{run.name}</strong> {duration(run.durationMs)}, {dollars(run.costUsd)}
      </p>
      {run.moreSteps > 0 && <p class="empty">{number(run.moreSteps)} earlier steps are not shown.</p>}
      {run.steps.length === 0 && <p class="empty">No steps yet.</p>}
      <ol>
        {run.steps.map((step) => (
          <li key={step.position}>
            <Step step={step} length={length} />
            {step.calls.length > 0 && (
              <ul>
                {step.calls.map((call) => (
                  <li key={call.sessionId}>
                    <CallLine call={call} name={`call ${call.attempt}`} />
                  </li>
                ))}
              </ul>
            )}
          </li>
        ))}
      </ol>
    </div>
  )
}

function Step({ step, length }: { readonly step: StepNode; readonly length: number }) {
  const { agent, worker, state, startMs, durationMs, costUsd, problem, position, endPosition } = step
  const took = durationMs ?? Math.max(0, length - startMs)
  return (
    <button
      type="button"
      class="step"
      title={problem ?? `${agent} ${state}`}
      onClick={() => visitFact(endPosition ?? position)}
    >
      <i class={`node is-${state}`} />
      <span class="name">
        {agent}
        {worker === agent ? '' : ` (${worker})`}
      </span>
      <span class="cost">{costUsd > 0 ? dollars(costUsd) : ''}</span>
      <span class="took">{durationMs === null ? '…' : duration(durationMs)}</span>
      <svg class="when" viewBox="0 0 1000 6" preserveAspectRatio="none" aria-hidden="true">
        <rect
          class={`is-${state}`}
          x={Math.min(990, (startMs / length) * 1000)}
          width={Math.max(10, Math.min(1000, (took / length) * 1000))}
          height="6"
        />
      </svg>
      {problem !== null && <span class="why tone-bad">{problem}</span>}
    </button>
  )
}
