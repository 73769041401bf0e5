/** Starts the page. */
import { render } from 'preact'
import { App } from './shell/app.tsx'
import { listenToKeys } from './shell/keyboard.ts'
import { followGrowth } from './shell/live.ts'
import { listenToAddress } from './shell/router.ts'
import './styles/theme.css'
import './styles/layout.css'
import './styles/parts.css'
import './styles/reading.css'
import './shell/theme.ts'

listenToAddress()
const root = document.getElementById('page')
if (root) render(<App />, root)
followGrowth()
listenToKeys()
