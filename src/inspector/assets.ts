/** The files of the page, from a fixed list: no path of a request reaches the file system. */
import { readFile } from 'node:fs/promises'

export interface Asset {
  readonly type: string
  readonly content: Buffer
}

const FILES: Readonly<Record<string, readonly [file: string, type: string]>> = {
  '/': ['index.html', 'text/html; charset=utf-8'],
  '/page.js': ['page.js', 'text/javascript; charset=utf-8'],
  '/page.css': ['page.css', 'text/css; charset=utf-8'],
  '/icon.svg': ['icon.svg', 'image/svg+xml'],
}

/** When run from the sources, the page is the one from the last build. */
const FOLDER = new URL(
  import.meta.url.endsWith('.ts') ? '../../dist/inspector/page/' : './page/',
  import.meta.url,
)

/** By path. */
export async function pageAssets(): Promise<ReadonlyMap<string, Asset>> {
  return new Map(
    await Promise.all(
      Object.entries(FILES).map(
        async ([path, [file, type]]) =>
          [path, { type, content: await readFile(new URL(file, FOLDER)) }] as const,
      ),
    ),
  )
}
