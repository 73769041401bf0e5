/** The title of the window names the place. */
import { useEffect } from 'preact/hooks'

const PRODUCT = 'claude-agents inspector'

/** Without a title, the window has the name of the page itself. */
export function usePageTitle(title: string): void {
  useEffect(() => {
    document.title = title === '' ? PRODUCT : `${title} · ${PRODUCT}`
  }, [title])
}
