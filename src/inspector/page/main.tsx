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

// The key is in a cookie now: it need not stand in the address, where a screenshot would show it.
history.replaceState(null, '', '/')
const root = document.getElementById('page')
if (root) render(<App />, root)
startLoading()
followGrowth()
listenToKeys()
