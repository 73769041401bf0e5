/** An error that is not one of ours, as a user reads it: in words, under a code, with what to do next. */
import { mkdir, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { describeError } from '../../src/events/errors/base.ts'
import { errorLine } from '../../src/owner/wire.ts'
import { temporaryDirectory } from '../store/temporary.ts'

const caught = (work: Promise<unknown>) =>
  work.then(
    () => null,
    (error: unknown) => error,
  )

test('An error of the system is told in words, with the path', async () => {
  const folder = await temporaryDirectory()
  const missing = join(folder, 'missing')
  expect(describeError(await caught(readFile(missing)))).toEqual({
    code: 'SystemError',
    message: `${missing}: it does not exist.`,
    hint: 'Check the path; if it is a link, check where it leads.',
  })
  await mkdir(missing)
  const failure = Object.assign(new Error('ENOSPC: no space left on device'), {
    code: 'ENOSPC',
    path: missing,
  })
  expect(describeError(failure).message).toBe(`${missing}: the disk is full.`)
  expect(describeError(await caught(readdir(join(folder, 'missing/x\0')))).code).toBe('UnexpectedError')
})

test('An error of the language says that it should not have happened, and what to do', () => {
  for (const error of [
    new TypeError('x is not a function'),
    new RangeError('too deep'),
    'a text',
    null,
    undefined,
  ]) {
    const { code, message, hint } = describeError(error)
    expect(code).toBe('UnexpectedError')
    expect(message).toContain('Something went wrong that should not have')
    expect(hint).toContain('report it')
    expect(errorLine(error).error).toMatchObject({ tag: code, message, hint })
  }
})
