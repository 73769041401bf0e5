/** Every page of the inspector, as every user meets it: axe finds nothing, nothing is wider than the window, and people can look at it. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { PAGES } from '../../src/inspector/addresses.ts'
import { isLong } from '../repetitions.ts'
import { CHROMIUM, openPlace, picture, placeAt } from './browser.ts'
import { shop } from './shop.ts'
import { THEMES, type View, viewsOf, WIDTHS } from './views.ts'

const title =
  CHROMIUM === undefined ? 'every page (skipped: no Chromium found, see CHROMIUM_PATH)' : 'every page'

/** Instead of the test: `looks` saves a picture of each view in each look, `docs` renews those of the documentation. */
const { PICTURES } = process.env
const DOCS = join(import.meta.dirname, '../../docs')

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

interface AxeResult {
  readonly violations: readonly {
    readonly id: string
    readonly nodes: readonly { readonly html: string }[]
  }[]
}

/** Each view is looked at in one of them, in the long form in all. */
const LOOKS = WIDTHS.flatMap((width, at) => {
  const [one, other] = at % 2 === 0 ? THEMES : THEMES.toReversed()
  return [
    { width, colorScheme: one },
    { width, colorScheme: other },
  ]
})

describe.skipIf(CHROMIUM === undefined)(title, () => {
  test('is accessible and within its width, at three widths, in both themes', async () => {
    const made = await shop(isLong || PICTURES !== undefined ? 500 : 30)
    const views = await viewsOf(made)
    // A page without a view here is a page that nobody has looked at.
    const pages = Object.keys(views).filter((name) => name !== 'nothing')
    expect(pages.sort()).toEqual([...PAGES].sort())
    const page = await openPlace(placeAt(made.url, '/'))
    await page.clock.setFixedTime(made.now)
    const found: string[] = []
    const open = async ({ address, sign, next }: View, { width, colorScheme }: (typeof LOOKS)[number]) => {
      await page.setViewportSize({ width, height: 900 })
      await page.emulateMedia({ colorScheme })
      await page.goto(placeAt(made.url, address))
      await page.locator(sign).first().waitFor()
      await next?.(page)
    }
    for (const [number, view] of Object.values(views).flat().entries()) {
      const { name, docs } = view
      if (PICTURES === 'docs') {
        if (docs === undefined) continue
        await open(view, { width: 1440, colorScheme: 'light' })
        await picture(page, docs, { folder: DOCS, highest: 1450 })
        continue
      }
      for (const [at, look] of LOOKS.entries()) {
        const { width, colorScheme } = look
        const of = `${name}-${width}-${colorScheme}`
        if (PICTURES === undefined && !isLong && at !== number % LOOKS.length) continue
        await open(view, look)
        if (PICTURES === 'looks') await picture(page, of)
        const wide = await page.evaluate('document.documentElement.scrollWidth')
        if (wide !== width) found.push(`${of}: it is ${wide} wide`)
        if (PICTURES === 'looks') continue
        await page.evaluate(AXE)
        const { violations } = (await page.evaluate('axe.run({ resultTypes: ["violations"] })')) as AxeResult
        for (const { id, nodes } of violations) found.push(`${of}: ${id} ${nodes[0]?.html}`)
      }
    }
    expect(found).toEqual([])
  }, 1_800_000)
})
