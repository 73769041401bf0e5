// Builds the inspector's page: a few files with fixed names and without external resources.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { build } from 'vite'

/** In bytes, gzipped: the page must load at once. */
const LARGEST_SCRIPT = 64 * 1024

export async function buildPage(outDir) {
  await build({
    configFile: false,
    root: fileURLToPath(new URL('../src/inspector/page/', import.meta.url)),
    logLevel: 'warn',
    oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
    build: {
      outDir,
      emptyOutDir: false,
      target: 'es2023',
      modulePreload: false,
      assetsInlineLimit: 0,
      reportCompressedSize: false,
      rolldownOptions: {
        output: { entryFileNames: 'page.js', assetFileNames: 'page[extname]', codeSplitting: false },
      },
    },
  })
  const bytes = gzipSync(readFileSync(`${outDir}/page.js`)).length
  if (bytes > LARGEST_SCRIPT)
    throw new Error(`page.js is too large: ${bytes} bytes gzipped, over the limit of ${LARGEST_SCRIPT}.`)
}
