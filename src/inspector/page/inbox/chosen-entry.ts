/** The entry of the inbox that the keys are about: the one with the focus. */
const entries = () => [...document.querySelectorAll<HTMLElement>('[data-entry]')]

/** The entry that has the focus; the first one if none has it. */
function chosen(): HTMLElement | undefined {
  const all = entries()
  return all.find((one) => one.contains(document.activeElement)) ?? all[0]
}

/** Moves the focus to the entry that comes `by` entries later. */
export function chooseEntry(by: number): void {
  const all = entries()
  const at = all.findIndex((one) => one.contains(document.activeElement))
  const next = all[at < 0 ? 0 : Math.max(0, Math.min(all.length - 1, at + by))]
  next?.focus()
  next?.scrollIntoView({ block: 'nearest' })
}

/** Opens the form of the chosen entry that has this key. */
export function openForm(key: string): void {
  chosen()?.querySelector<HTMLButtonElement>(`[data-key=${key}]`)?.click()
}
