/** Equal values as equal text: JSON with the fields of each object sorted by name. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    part !== null && typeof part === 'object' && !Array.isArray(part) ? ordered(part) : part,
  )
}

function ordered(object: object): object {
  // Without a prototype, so that a field named __proto__ is a field like any other.
  const copy: Record<string, unknown> = Object.create(null)
  for (const name of Object.keys(object).sort()) copy[name] = (object as Record<string, unknown>)[name]
  return copy
}
