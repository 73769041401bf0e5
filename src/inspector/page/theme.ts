/** Dark, light, or as the system has it; remembered. */
import { effect, signal } from '@preact/signals'

const KEY = 'theme'
const ORDER = ['system', 'light', 'dark'] as const
export type Theme = (typeof ORDER)[number]

const remembered = localStorage.getItem(KEY) as Theme | null
export const theme = signal<Theme>(remembered !== null && ORDER.includes(remembered) ? remembered : 'system')

export function nextTheme(): void {
  theme.value = ORDER[(ORDER.indexOf(theme.value) + 1) % ORDER.length] ?? 'system'
}

effect(() => {
  document.documentElement.dataset.theme = theme.value
  localStorage.setItem(KEY, theme.value)
})
