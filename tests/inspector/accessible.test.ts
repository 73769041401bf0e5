/** Every page of the inspector, as every user meets it: axe finds nothing, nothing is wider than the window, and people can look at it. */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { describe, expect, test } from 'vitest'
import { PAGES } from '../../src/inspector/places.ts'
import { isLong } from '../repetitions.ts'
import { CHROMIUM, openPlace, picture, placeAt } from './browser.ts'
import { shop } from './shop.ts'
import { THEMES, viewsOf, WIDTHS } from './views.ts'

const title =
  CHROMIUM === undefined ? 'every page (skipped: no Chromium found, see CHROMIUM_PATH)' : 'every page'

/** `PICTURES=1` saves a picture of each view. */
const withPictures = process.env.PICTURES === '1'

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
    const made = await shop(isLong || withPictures ? 500 : 30)
    const views = await viewsOf(made)
    // A page without a view here is a page that nobody has looked at.
    expect(
      Object.keys(views)
        .filter((name) => name !== 'nothing')
        .sort(),
    ).toEqual([...PAGES].sort())
    const page = await openPlace(placeAt(made.url, '/'))
    await page.clock.setFixedTime(made.now)
    const found: string[] = []
    for (const [number, { name, address, sign, next }] of Object.values(views).flat().entries()) {
      for (const { width, colorScheme } of LOOKS.filter(
        (_, look) => isLong || withPictures || look === number % LOOKS.length,
      )) {
        await page.setViewportSize({ width, height: 900 })
        await page.emulateMedia({ colorScheme })
        await page.goto(placeAt(made.url, address))
        await page.locator(sign).first().waitFor()
        await next?.(page)
        if (withPictures) await picture(page, `${name}-${width}-${colorScheme}`)
        if (withPictures && !isLong) continue
        const wide = await page.evaluate('document.documentElement.scrollWidth')
        if (wide !== width) found.push(`${name} ${width}: is ${wide} wide`)
        await page.evaluate(AXE)
        const { violations } = (await page.evaluate('axe.run({ resultTypes: ["violations"] })')) as AxeResult
        for (const { id, nodes } of violations)
          found.push(`${name} ${width} ${colorScheme}: ${id} ${nodes[0]?.html}`)
      }
    }
    expect(found).toEqual([])
  }, 900_000)
})
