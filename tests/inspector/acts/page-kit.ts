/** What tests of the page's buttons look for. */
import type { Page } from 'playwright-core'
import { actingOn } from '../../../src/inspector/acts/acting.ts'
import { memoryStore } from '../../../src/store/memory-store.ts'

/** Who acts, as the log names them. */
export const { by } = actingOn({ store: memoryStore() }, false)

export const MARKUP = '<script>document.title = "owned"</script><img src=x onerror="alert(2)"> \u202Egnp.exe'

export const entry = (page: Page, id: string) => page.locator(`[data-entry="${id}"]`)
export const dialog = (page: Page) => page.locator('dialog.form')
/** Once the form can be sent. */
export const ready = (page: Page) => dialog(page).locator('.confirm:enabled').waitFor()
export const sent = (page: Page, sentence: string) => page.locator('.done').getByText(sentence).waitFor()
