/** A patch, with what it adds and removes in colour. */
import type { PatchLine } from '../../../inbox/line-patch.ts'

export const PatchText = ({ lines }: { readonly lines: readonly PatchLine[] }) => (
  // biome-ignore lint/a11y/useSemanticElements: it is no group of fields
  // biome-ignore lint/a11y/noNoninteractiveTabindex: a long patch is scrolled with the keys
  <pre class="patch" tabIndex={0} role="group" aria-label="Patch">
    {lines.map(([kind, text], row) => (
      <span key={row} class={`line is-${kind}`}>
        {text}
      </span>
    ))}
  </pre>
)
