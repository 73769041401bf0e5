/** Pages, with the next one already under way while the reader is busy with this one. */

/** Runs `load` for each request in turn, one ahead. Loads nothing more once the reader has gone. */
export async function* readAhead<Request, Page>(
  requests: Iterable<Request>,
  load: (request: Request) => Promise<Page>,
): AsyncGenerator<Page, void, undefined> {
  let next: Promise<Page> | null = null
  for (const request of requests) {
    const current = next
    next = load(request)
    // Its error belongs to whoever reads that page; until then, or when nobody does, it is not an unhandled one.
    next.catch(() => {})
    if (current) yield await current
  }
  if (next) yield await next
}
