/** What the heads of runs and agents have in common. */
import { number } from './words.ts'

export function Figure({
  name,
  value,
  tone = '',
}: {
  readonly name: string
  readonly value: string
  readonly tone?: string
}) {
  return (
    <div>
      <dt>{name}</dt>
      <dd class={tone === '' ? '' : `tone-${tone}`}>{value}</dd>
    </div>
  )
}

/** Says that an older version is shown. */
export function VersionNotice({
  version,
  newest,
  now,
}: {
  readonly version: number
  readonly newest: number
  /** The address of the newest one. */
  readonly now: string
}) {
  if (version >= newest) return null
  return (
    <p class="notice">
      As of version {number(version)} of {number(newest)}.{' '}
      <a class="link" href={now}>
        Show it as it is now
      </a>
    </p>
  )
}
