/** A text as it is written. It scrolls by keyboard as well, if it is long. */
export const PlainText = ({ text }: { readonly text: string }) => (
  // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by keyboard
  <pre class="text" tabIndex={0}>
    {text}
  </pre>
)
