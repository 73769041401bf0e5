/** A headless Chromium for tests of the page, if the machine has one. */
import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { type Browser, chromium, type Page } from 'playwright-core'
import { expect, onTestFinished } from 'vitest'
import { atEndOfFile } from '../end-of-file.ts'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome']
const onPath = (process.env.PATH ?? '')
  .split(delimiter)
  .flatMap((folder) => NAMES.map((name) => join(folder, name)))

/** The path of the program; undefined if there is none, in which case the tests of the page are skipped. */
export const CHROMIUM = [process.env.CHROMIUM_PATH ?? '', ...onPath].find(
  (path) => path !== '' && existsSync(path),
)

/** For people to look at; not part of the repository. */
const SCREENSHOTS = join(import.meta.dirname, 'screenshots')

/**
 * Of two such lists Chromium takes the last, so this one has what is in Playwright's. The first three are pages of an address
 * bar that nobody sees: with each window they took more time than most pages of ours.
 */
const WITHOUT = [
  ...['WebUIOmniboxPopup', 'WebUIOmniboxAimPopup', 'WebUIOmniboxFullPopup'],
  ...['AvoidUnnecessaryBeforeUnloadCheckSync', 'DestroyProfileOnBrowserClose', 'HttpsUpgrades'],
  ...['HttpsFirstBalancedModeAutoEnable', 'LensOverlay', 'MediaRouter', 'PaintHolding', 'AimEnabled'],
  ...['ThirdPartyStoragePartitioning', 'AvoidCorsURLLoaderRestartOnRedirect', 'OptimizationHints'],
  ...['NetworkTimeServiceQuerying', 'PreconnectToSearch'],
]

let browser: Promise<Browser> | undefined

export function launchChromium(): Promise<Browser> {
  return chromium.launch({
    ...(CHROMIUM === undefined ? {} : { executablePath: CHROMIUM }),
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--no-first-run',
      `--disable-features=${WITHOUT.join()}`,
    ],
  })
}

atEndOfFile(async () => {
  const ended = browser
  browser = undefined
  await (await ended)?.close()
})

/** The log, or another place of the inspector at this URL. */
export function placeAt(url: string, address = '/log'): string {
  const place = new URL(address, url)
  for (const [name, value] of new URL(url).searchParams) place.searchParams.set(name, value)
  return place.href
}

/** Opens the log in a new window, and fails the test at its end if the page had errors, warnings or dialogs. */
export async function openPage(url: string, options: { readonly dark?: boolean } = {}): Promise<Page> {
  const page = await openPlace(placeAt(url), options)
  await page.locator('.fact .type').first().waitFor()
  return page
}

/** The same for any place. */
export async function openPlace(url: string, options: { readonly dark?: boolean } = {}): Promise<Page> {
  browser ??= launchChromium()
  const context = await (await browser).newContext({
    viewport: { width: 1440, height: 900 },
    colorScheme: options.dark ? 'dark' : 'light',
  })
  const page = await context.newPage()
  const problems: string[] = []
  page.on('pageerror', (error) => problems.push(String(error)))
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') problems.push(message.text())
  })
  page.on('dialog', (dialog) => {
    problems.push(`a dialog: ${dialog.message()}`)
    void dialog.dismiss()
  })
  onTestFinished(async () => {
    await context.close()
    expect(problems).toEqual([])
  })
  page.setDefaultTimeout(30_000)
  await page.goto(url)
  return page
}

export async function screenshot(page: Page, name: string): Promise<void> {
  await mkdir(SCREENSHOTS, { recursive: true })
  await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`) })
}

/** The page in its whole height as a small file. */
export async function picture(
  page: Page,
  name: string,
  { folder = SCREENSHOTS, highest = HIGHEST }: { readonly folder?: string; readonly highest?: number } = {},
): Promise<void> {
  const { width = 0, height = 0 } = page.viewportSize() ?? {}
  const whole = await page.locator(':root').evaluate(({ scrollHeight }) => scrollHeight)
  await page.setViewportSize({ width, height: Math.min(whole, highest) })
  // What is laid out only where it is seen, and read only then.
  for (let frame = 0; frame < FRAMES; frame++)
    await page.evaluate('new Promise((resolve) => requestAnimationFrame(resolve))')
  const devtools = await page.context().newCDPSession(page)
  const { data } = await devtools.send('Page.captureScreenshot', { format: 'webp', quality: 80 })
  await devtools.detach()
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, `${name}.webp`), Buffer.from(data, 'base64'))
  await page.setViewportSize({ width, height })
}

const HIGHEST = 2600
/** In which the page reads what it shows. */
const FRAMES = 20
