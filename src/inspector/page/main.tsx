/** Starts the page. */
import { render } from 'preact'
import { App } from './app.tsx'
import { listenToKeys } from './keyboard.ts'
import { followGrowth } from './live.ts'
import { startLoading } from './loading.ts'
import './styles/theme.css'
import './styles/layout.css'
import './styles/parts.css'
import './theme.ts'

// The cookie carries the key now: remove it from the URL, where a screenshot would show it.
history.replaceState(null, '', '/')
const root = document.getElementById('page')
if (root) render(<App />, root)
startLoading()
followGrowth()
listenToKeys()
