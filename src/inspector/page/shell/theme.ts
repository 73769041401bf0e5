/** The theme: light, dark, or that of the system. The browser stores the choice. */
import { effect, signal } from '@preact/signals'

const KEY = 'theme'
const ORDER = ['system', 'light', 'dark'] as const
export type Theme = (typeof ORDER)[number]

const stored = localStorage.getItem(KEY) as Theme | null
export const theme = signal<Theme>(stored !== null && ORDER.includes(stored) ? stored : 'system')

export function nextTheme(): void {
  theme.value = ORDER[(ORDER.indexOf(theme.value) + 1) % ORDER.length] ?? 'system'
}

effect(() => {
  document.documentElement.dataset.theme = theme.value
  localStorage.setItem(KEY, theme.value)
})
