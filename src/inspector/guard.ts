/** Who may ask: a browser page of ours, or a program with the token, under a name that is ours. Pure. */
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
}

/** Another port is another cookie: cookies do not tell ports apart. */
export const cookieName = (port: number): string => `claude-agents-inspect-${port}`

export interface RequestRefusal {
  readonly status: number
  readonly problem: string
}

/**
 * Why a request is refused, or null. The name in `Host` is checked because a page on any site can let its own name
 * point to 127.0.0.1 (DNS rebinding); `Origin` because any page can send requests here.
 */
export function refusal({ method, headers, url }: Request, { port, token }: Guarded): RequestRefusal | null {
  const hosts = [`127.0.0.1:${port}`, `localhost:${port}`]
  if (!hosts.includes(headers.host ?? ''))
    return { status: 403, problem: 'It is not asked under its own name.' }
  const { origin } = headers
  if (origin !== undefined && !hosts.some((host) => origin === `http://${host}`)) {
    return { status: 403, problem: 'Pages of other origins may not ask.' }
  }
  const site = headers['sec-fetch-site']
  if (
    site !== undefined &&
    site !== 'same-origin' &&
    site !== 'none' &&
    headers['sec-fetch-mode'] !== 'navigate'
  ) {
    return { status: 403, problem: 'Pages of other sites may not ask.' }
  }
  if (method !== 'GET') return { status: 405, problem: 'It can only be read (GET).' }
  const given = [bearer(headers), cookie(headers, cookieName(port)), url.searchParams.get('token')]
  if (given.some((one) => one !== null && equal(one, token))) return null
  return {
    status: 401,
    problem: 'Open the address that claude-agents inspect printed: it has the key in it.',
  }
}

/** Takes as long whatever is given: hashes have one length, and are compared in constant time. */
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

/** What every answer carries: nothing from elsewhere is loaded, nothing is framed, guessed, kept or told on. */
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
