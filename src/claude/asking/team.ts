/**
 * The MCP server by which an agent reaches its team, `team PASS`: it hands everything on to the process that runs the agent,
 * which knows by the secret in the file PASS whose call it is.
 */
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import type { TeamPass } from '../runner.ts'

const [path = ''] = process.argv.slice(2)
const { socket, token } = JSON.parse(readFileSync(path, 'utf8')) as TeamPass
const team = connect(socket)
team.write(`${token}\n`)
process.stdin.pipe(team)
team.pipe(process.stdout)
team.on('error', (error) => {
  process.stderr.write(`The team cannot be reached: ${error.message}\n`)
  process.exitCode = 1
})
// The team is gone, and with it the only thing to hand on to.
team.on('close', () => process.stdin.destroy())
