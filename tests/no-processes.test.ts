import { expect, test } from 'vitest'
import { started } from './no-processes.ts'

test('a quick test that starts a process fails, even if the code survives the refusal', () => {
  const processes = process.getBuiltinModule('child_process')
  expect(() => processes.spawn('true')).toThrow('a quick test starts a process: spawn true')
  expect(started.splice(0)).toEqual(['spawn true'])
})
