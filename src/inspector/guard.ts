/** Access control of the inspector: only its own page, or a program with the token, and only by a local host name. Pure. */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'

export interface Request {
  readonly method: string | undefined
  readonly headers: IncomingHttpHeaders
  readonly url: URL
}

export interface Guarded {
  readonly port: number
  readonly token: string
  /** The one path that accepts forms; null if there is none. */
  readonly acts: string | null
}

/** The port is part of the name, because browsers share cookies across ports. */
const cookieName = (port: number): string => `claude-agents-inspect-${port}`

/** In seconds: a month without a visit. */
const KEPT_FOR = 30 * 24 * 60 * 60

/** The cookie that carries the key from now on. No script can read it, and no other site can have it sent. */
export const cookieWith = (port: number, token: string): string =>
  `${cookieName(port)}=${token}; Path=/; Max-Age=${KEPT_FOR}; HttpOnly; SameSite=Strict`

export interface RequestRefusal {
  readonly status: number
  readonly problem: string
}

/**
 * Why a request is refused; null if it is allowed. `Host` is checked because any site can point its own name to
 * 127.0.0.1 (DNS rebinding), `Origin` because any page can send requests here. A form has to name its origin and to be
 * JSON, which no page of another origin can send unasked, and its key is never in the URL.
 */
export function refusal(
  { method, headers, url }: Request,
  { port, token, acts }: Guarded,
): RequestRefusal | null {
  const hosts = [`127.0.0.1:${port}`, `localhost:${port}`]
  if (!hosts.includes(headers.host ?? ''))
    return { status: 403, problem: 'Unexpected Host header; open the printed URL.' }
  const { origin } = headers
  if (origin !== undefined && !hosts.some((host) => origin === `http://${host}`)) {
    return { status: 403, problem: 'Requests from pages of other origins are refused.' }
  }
  const site = headers['sec-fetch-site']
  if (
    site !== undefined &&
    site !== 'same-origin' &&
    site !== 'none' &&
    headers['sec-fetch-mode'] !== 'navigate'
  ) {
    return { status: 403, problem: 'Requests from pages of other sites are refused.' }
  }
  const isForm = method === 'POST' && url.pathname === acts
  if (method !== 'GET' && !isForm) {
    const problem =
      acts === null ? 'The inspector is read-only: use GET.' : 'Use GET; forms have their own address.'
    return { status: 405, problem }
  }
  if (isForm && (origin === undefined || (site !== undefined && site !== 'same-origin')))
    return { status: 403, problem: 'A form has to come from the page: its Origin is missing or another one.' }
  if (isForm && !/^application\/json(;|$)/.test(headers['content-type'] ?? ''))
    return { status: 415, problem: 'A form has to be JSON.' }
  const given = [
    bearer(headers),
    cookie(headers, cookieName(port)),
    isForm ? null : url.searchParams.get('token'),
  ]
  if (given.some((one) => one !== null && equal(one, token))) return null
  return { status: 401, problem: 'Open the URL that claude-agents inspect printed: it contains the key.' }
}

/** Compares in constant time: the hashes have the same length whatever is given. */
function equal(given: string, token: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(given), digest(token))
}

const bearer = ({ authorization }: IncomingHttpHeaders): string | null =>
  /^Bearer (\S+)$/.exec(authorization ?? '')?.[1] ?? null

function cookie({ cookie: text = '' }: IncomingHttpHeaders, name: string): string | null {
  for (const pair of text.split(';')) {
    const [key, value] = pair.trim().split('=', 2)
    if (key === name) return value ?? null
  }
  return null
}

/** Sent with every response: no external resources, no framing, no MIME sniffing, no caching, no referrer. */
export const HEADERS: Readonly<Record<string, string>> = {
  'Content-Security-Policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cache-Control': 'no-store',
}
