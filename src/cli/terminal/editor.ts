/** A text that the user edits in $VISUAL or $EDITOR. */
import { spawnSync } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { InvalidInputError } from '../../events/errors/usage.ts'

/** Throws InvalidInputError before anything else is done. */
export function editorCommand(what: string): string {
  const editor = process.env.VISUAL || process.env.EDITOR
  if (editor) return editor
  const hint = 'Set it: export EDITOR=nano'
  throw new InvalidInputError({ what, problem: 'neither VISUAL nor EDITOR names an editor', hint })
}

/** The text as it was saved. An empty one is refused. */
export async function edited(
  editor: string,
  { what, file: name, text }: { readonly what: string; readonly file: string; readonly text: string },
): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'claude-agents-'))
  try {
    const file = join(folder, name)
    await writeFile(file, text, { mode: 0o600 })
    // EDITOR may contain arguments, so the shell reads it, as with git.
    const { status, error } = spawnSync('sh', ['-c', `${editor} "$1"`, editor, file], { stdio: 'inherit' })
    if (error || status !== 0)
      throw new InvalidInputError({
        what: '--edit',
        problem: `the editor exited with ${error?.message ?? status}`,
      })
    const saved = await readFile(file, 'utf8')
    if (saved.trim() === '') throw new InvalidInputError({ what, problem: 'it is empty' })
    return saved.replace(/\n$/, '')
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
