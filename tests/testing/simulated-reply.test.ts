import { describe, expect, it } from 'vitest'
import { parseModelRequest } from '../../src/testing/model/messages-api.ts'
import { simulatedReply } from '../../src/testing/model/simulated-reply.ts'

const CLI_PROMPT = 'You are an interactive agent that helps users with software engineering tasks.'

function ask(system: string, ...turns: readonly string[]): string {
  const messages = turns.map((content, index) => ({ role: index % 2 ? 'assistant' : 'user', content }))
  return simulatedReply(parseModelRequest(JSON.stringify({ model: 'm', system, messages }), {}))
}

describe('the default reply', () => {
  it('is the same for the same request, and depends on the role and the subject', () => {
    const system = `${CLI_PROMPT}\nYou are a careful researcher.`
    const reply = ask(system, 'Research the topic: tidal energy. Give three findings.')
    expect(ask(system, 'Research the topic: tidal energy. Give three findings.')).toBe(reply)
    expect(reply).toMatch(/^## Findings on tidal energy\n/)
    expect(reply.match(/^- \*\*/gm)).toHaveLength(3)
  })

  it('picks up the points of the previous agent: research, analysis, report', () => {
    const research = ask('You are a researcher.', 'Research tidal energy.')
    const analysis = ask('You are an analyst.', `Analyse these findings about tidal energy:\n\n${research}`)
    const report = ask('You are a writer.', `Write a report about tidal energy from this:\n\n${analysis}`)
    expect(analysis).toMatch(/^## What this means for tidal energy\n.*\*\*The driving forces\*\*/s)
    expect(report).toMatch(/^# Tidal energy\n.*the current state, the driving forces and the open risks/s)
    expect(report).toMatch(/Simulated text: no real model was asked/)
  })

  it('has ideas and ranks them, for a brainstorming', () => {
    const ideas = ask('You are a visionary. You have ideas.', 'Give five ideas on the subject: a task list')
    const ranking = ask(
      'You are a facilitator who ends a brainstorming with a decision.',
      `Rank these ideas, best first, on the subject: a task list\n\n# Ideas\n\n${ideas}`,
    )
    expect(ideas).toMatch(/^## Ideas: a task list\n/)
    const [, first] = /\*\*(.+?)\.\*\*/.exec(ideas) ?? []
    expect(ranking).toMatch(/^## Ranking: a task list\n/)
    expect(ranking).toContain(`1. **${first}.**`)
  })

  it('repeats the prompt if there is no role, and remembers the previous turn', () => {
    const first = ask(CLI_PROMPT, 'My name is Ada.')
    expect(first).toMatch(/^You said: “My name is Ada\.”/)
    expect(ask(CLI_PROMPT, 'My name is Ada.', first, 'hello')).toMatch(
      /“hello”\. Before that, you said: “My name is Ada\.”/,
    )
  })

  it('answers any prompt: empty, a megabyte, other scripts, markup', () => {
    for (const prompt of [
      '',
      'x'.repeat(1_000_000),
      '研究 🦊',
      '**',
      '"',
      '[result ',
      '$1 $& `'.repeat(20),
    ]) {
      expect(ask('You are a writer.', prompt).length).toBeGreaterThan(20)
      expect(ask('', prompt).length).toBeLessThan(1_000)
    }
  })
})
