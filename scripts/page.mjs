// Builds the inspector's page: three files with fixed names that load nothing from elsewhere.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { build } from 'vite'

/** In bytes of gzip: the page has to be there at once. */
const LARGEST_SCRIPT = 40 * 1024

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
    throw new Error(`page.js has ${bytes} bytes of gzip, more than ${LARGEST_SCRIPT}.`)
}
