import { expect, test } from 'vitest'
import { started } from './no-processes.ts'

test('A process that a quick test starts is refused, and fails it though the code may go on without', () => {
  const processes = process.getBuiltinModule('child_process')
  expect(() => processes.spawn('true')).toThrow('a quick test starts a process: spawn true')
  expect(started.splice(0)).toEqual(['spawn true'])
})
