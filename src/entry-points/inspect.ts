/** Serves the web inspector from a program: `claude-multi-agent/inspect`. */

export { type Inspector, type InspectorOptions, inspector } from '../inspector/inspector.ts'
