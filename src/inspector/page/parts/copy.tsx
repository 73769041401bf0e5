/** A button that copies a text, and a command line with one. */
import { useState } from 'preact/hooks'
import { Icon } from '../shell/icons.tsx'

export function Copy({ text, label }: { readonly text: string; readonly label: string }) {
  const [isCopied, setCopied] = useState(false)
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text)
      setCopied(true)
      setTimeout(() => setCopied(false), 1500)
    } catch {
      // The browser refuses: the text can still be selected.
    }
  }
  return (
    <button type="button" class="quiet copy" title={label} aria-label={label} onClick={copy}>
      <Icon name="copy" />
      <span aria-live="polite">{isCopied ? 'Copied' : ''}</span>
    </button>
  )
}

export function CommandLine({ command }: { readonly command: string }) {
  return (
    <span class="command">
      <code>{command}</code>
      <Copy text={command} label="Copy the command" />
    </span>
  )
}
