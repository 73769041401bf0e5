/** Which repository addresses are accepted, and what is kept of them. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { InvalidInputError } from '../../../src/events/errors/usage.ts'
import { checkRepoUrl, repoName } from '../../../src/events/repo-url.ts'
import { checkRef } from '../../../src/events/task-input.ts'

test.each([
  ['https://github.com/owner/name', 'https', 'name'],
  ['https://github.com/owner/name.git', 'https', 'name'],
  ['HTTPS://GitHub.com/owner/name/', 'https', 'name'],
  ['http://localhost:3000/owner/name', 'http', 'name'],
  ['http://127.0.0.1:3000/owner/name', 'http', 'name'],
  ['http://[::1]:3000/owner/name', 'http', 'name'],
  ['ssh://git@github.com/owner/name.git', 'ssh', 'name'],
  ['ssh://git@[::1]:22/name.git', 'ssh', 'name'],
  ['git@github.com:owner/name.git', 'ssh', 'name'],
  ['git@github.com:name.git', 'ssh', 'name'],
  ['git://example.org/name', 'git', 'name'],
])('%s is accepted', (url, transport, name) => {
  const location = checkRepoUrl(url, 'url')
  expect(location).toMatchObject({ transport, credentials: null })
  expect(repoName(location)).toBe(name)
})

test.each([
  ['', /empty/],
  ['ext::sh -c touch% /tmp/x', /character/],
  ['ext::sh', /ext:: would start a program/],
  ['EXT::sh', /EXT:: would start a program/],
  ['fd::17', /fd:: would start a program/],
  ['file::/etc', /file:: would start a program/],
  ['git@host::ext', /not a URL/],
  ['-u', /option/],
  ['--upload-pack=touch', /option/],
  ['ssh://-oProxyCommand=touch/x', /host or path/],
  ['ssh://-oProxyCommand=touch@host/x', /host or path/],
  ['ssh://git@-oProxyCommand=touch/x', /host or path/],
  ['git@-oProxyCommand=x:name', /not a URL/],
  ['-oProxyCommand=x@host:name', /option/],
  ['git@host:-name', /not a URL/],
  ['git://-host/name', /host or path/],
  ['https://-host/name', /begins with -/],
  ['https://host/name\n', /character/],
  ['https://host/%0aname', /control character/],
  ['https://user:a%0apassword=b@host/name', /control character/],
  ['https://host', /names a host/],
  ['https://host/name?token=secret', /\? or #/],
  ['https://host/name#main', /\? or #/],
  ['https://user:%ff@host/name', /not correctly percent-encoded/],
  ['http://example.org/name', /over http/],
  ['http://localhost.example.org/name', /over http/],
  ['ftp://example.org/name', /ftp:/],
  ['git+ssh://example.org/name', /git\+ssh:/],
  ['ssh://user:secret@host/name', /takes no password/],
  ['git://user@host/name', /takes no password/],
  ['owner/name', /not a URL/],
  ['/etc', /this machine/],
  ['./repo', /this machine/],
  ['../repo', /this machine/],
  ['file:///etc', /this machine/],
  ['FILE:///etc', /this machine/],
  [undefined, /empty/],
])('%s is rejected', (url, problem) => {
  expect(() => checkRepoUrl(url, 'url')).toThrow(InvalidInputError)
  expect(() => checkRepoUrl(url, 'url')).toThrow(problem)
})

test('a mere owner and name is answered with the whole URL', () => {
  expect(() => checkRepoUrl('owner/name', 'url')).toThrow('Did you mean https://github.com/owner/name?')
})

test('a program may allow local paths, and nothing else with that', () => {
  const options = { allowLocalRepos: true }
  expect(checkRepoUrl('/tmp/x', 'url', options)).toMatchObject({ transport: 'file', url: '/tmp/x' })
  expect(checkRepoUrl('file:///tmp/x%20y', 'url', options)).toMatchObject({ url: '/tmp/x y' })
  for (const url of ['ext::sh', 'file://host/x', '-x', 'x', 'http://example.org/x']) {
    expect(() => checkRepoUrl(url, 'url', options)).toThrow(InvalidInputError)
  }
})

test('credentials are kept apart from the URL, decoded', () => {
  expect(checkRepoUrl('https://name:p%40ss@example.org:8443/x.git', 'url')).toEqual({
    transport: 'https',
    url: 'https://example.org:8443/x.git',
    credentials: { username: 'name', password: 'p@ss' },
  })
  expect(checkRepoUrl('https://token@example.org/x', 'url').credentials).toEqual({
    username: 'token',
    password: '',
  })
})

test('no error repeats a URL, as it may contain a password', () => {
  const scheme = fc.constantFrom('https', 'http', 'ssh', 'git', 'ftp', 'file', 'ext', '')
  const tail = fc.constantFrom('', '/', '/x', '/x?y', '/x#y', ':x', ' ', '/%00')
  fc.assert(
    fc.property(scheme, fc.constantFrom('host', '-host', 'a b', ''), tail, (name, host, path) => {
      try {
        checkRepoUrl(`${name}://name:hunter2secret@${host}${path}`, 'url')
      } catch (error) {
        expect(JSON.stringify([String(error), error])).not.toContain('hunter2secret')
      }
    }),
  )
})

test.each(['main', 'feature/x', 'v1.2.0', 'a-b', 'abcdef1', '0'.repeat(40), 'release_1'])(
  'the ref %s is accepted',
  (ref) => {
    expect(checkRef(ref, 'ref')).toBe(ref)
  },
)

test.each([
  '',
  '-u',
  '--upload-pack=x',
  'a b',
  'a..b',
  'a:b',
  'x~1',
  'x^',
  'a?',
  'a*',
  'a[',
  'a\\b',
  'a@{1}',
  '@',
  '/a',
  'a/',
  'a//b',
  '.a',
  'a/.b',
  'a.lock',
  'a.',
  'a\nb',
  'a\0b',
  'x'.repeat(251),
  7,
])('the ref %j is rejected', (ref) => {
  expect(() => checkRef(ref, 'ref')).toThrow(InvalidInputError)
})
