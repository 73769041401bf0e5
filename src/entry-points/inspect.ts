/** The web inspector, served by a program: `claude-multi-agent/inspect`. */

export { type Inspector, type InspectorOptions, inspector } from '../inspector/inspector.ts'
