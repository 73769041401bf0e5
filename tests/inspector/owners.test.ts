/** The page stays open while services come and go: it takes the store from nobody, and follows all of them. */
import { createInterface } from 'node:readline'
import { describe, expect, onTestFinished, test } from 'vitest'
import { simulatedModel } from '../../src/testing/model/simulated-model.ts'
import { quickCommandLine } from '../cli/command.ts'
import { CHROMIUM, openPage } from './browser.ts'

const title = CHROMIUM === undefined ? 'the page (skipped: no Chromium found, see CHROMIUM_PATH)' : 'the page'

describe.skipIf(CHROMIUM === undefined)(title, () => {
  test('follows a service that starts, works and ends, and the next one', async () => {
    await using model = await simulatedModel()
    const cli = await quickCommandLine(model.environment)
    expect((await cli.run(['agent', 'create', 'dev', 'You are a developer.'])).exitCode).toBe(0)
    const inspecting = cli.start('--json', 'inspect', '--no-open')
    onTestFinished(() => void inspecting.kill('SIGKILL'))
    const [line = ''] = await firstLines(inspecting.stdout)
    const page = await openPage((JSON.parse(line) as { url: string }).url)
    const tasks = page.locator('.fact-card h2')
    const asked = async (task: string) => {
      expect((await cli.run(['serve', '--detach'])).exitCode).toBe(0)
      expect((await cli.run(['serve', 'status'])).exitCode).toBe(0)
      expect((await cli.run(['agent', 'ask', 'dev', task, '--task-id', task])).exitCode).toBe(0)
      await page.getByText(task).first().waitFor()
      await tasks.getByText('CallSucceeded').waitFor()
      expect((await cli.run(['serve', 'stop'])).exitCode).toBe(0)
    }
    await asked('first-task')
    await asked('second-task')
    // With no service, the command itself has the store, and is refused by nobody.
    expect((await cli.run(['agent', 'ask', 'dev', 'third', '--task-id', 'third-task'])).exitCode).toBe(0)
    await page.getByText('third-task').first().waitFor()
  })
})

async function firstLines(stream: NodeJS.ReadableStream): Promise<readonly string[]> {
  for await (const line of createInterface({ input: stream })) return [line]
  return []
}
