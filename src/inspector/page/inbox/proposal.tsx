/** What a tool call that waits would change in a file, compared with the file as it is when one looks. */
import { useEffect, useState } from 'preact/hooks'
import type { ProposalView } from '../../acts/view.ts'
import { PatchText } from '../parts/patch.tsx'
import { clock, several } from '../parts/words.ts'
import { ask } from '../shell/ask.ts'

export function Proposal({ id }: { readonly id: string }) {
  const [looks, setLooks] = useState(1)
  const [seen, setSeen] = useState<{ readonly view: ProposalView; readonly at: number } | null>(null)
  useEffect(() => {
    const leaving = new AbortController()
    ask('proposal', { id }, leaving.signal).then(
      (view) => setSeen({ view, at: Date.now() }),
      // The entry is gone, and so is this in a moment.
      () => {},
    )
    return () => leaving.abort()
  }, [id, looks])
  const change = seen?.view.change
  if (!seen || !change) return null
  const { path, patch, moreLines, problem } = change
  const title = `What would change in ${path}`
  return (
    <div class="change">
      <h3>{title}</h3>
      {problem !== null && <p class="notice">{problem}</p>}
      {patch.length > 0 && (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keyboard
        <section class="part" aria-label={`${title}: ${id}`} tabIndex={0}>
          <PatchText lines={patch} />
        </section>
      )}
      <p class="extent">
        {moreLines > 0 && `… and ${several(moreLines, 'more line')}. `}
        Compared with the file as it was at {clock(seen.at).slice(0, 8)}.{' '}
        <button type="button" class="link" onClick={() => setLooks(looks + 1)}>
          Compare again
        </button>
      </p>
    </div>
  )
}
