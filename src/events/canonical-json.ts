/** One text for one value, whoever made it: JSON with the fields of objects in the order of their names. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    part !== null && typeof part === 'object' && !Array.isArray(part) ? ordered(part) : part,
  )
}

function ordered(object: object): object {
  // Without a prototype, so that no name means anything.
  const copy: Record<string, unknown> = Object.create(null)
  for (const name of Object.keys(object).sort()) copy[name] = (object as Record<string, unknown>)[name]
  return copy
}
