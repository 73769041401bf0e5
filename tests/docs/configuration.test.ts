import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { expect, test } from 'vitest'
import { SETTINGS } from '../../src/config/schema.ts'

test('docs/configuration.md has a row for every setting, with its variable, default and meaning', async () => {
  const text = await readFile(resolve(import.meta.dirname, '../../docs/configuration.md'), 'utf8')
  const rows = Object.entries(SETTINGS).flatMap(([section, fields]) =>
    Object.entries(fields).map(([key, { variable, fallback, means }]) => {
      const unless = fallback === undefined ? '' : `\`${fallback}\``
      return `| \`${section}.${key}\` | \`CLAUDE_AGENTS_${variable}\` | ${unless} | ${means} |`
    }),
  )
  expect(text.split('\n').filter((line) => line.startsWith('| `'))).toEqual(rows)
})
