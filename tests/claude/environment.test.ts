/** The environment of a call: what is inherited, what is not, and whose login applies. */
import { expect, test } from 'vitest'
import { type CallEnvironment, callEnvironment } from '../../src/claude/environment.ts'

const HOME = '/base/agents/a/home'
const environmentOf = (inherited: CallEnvironment['inherited'], more: Partial<CallEnvironment> = {}) =>
  callEnvironment({
    agent: 'a',
    taskId: 'task',
    callId: 'call-1',
    home: HOME,
    version: [2, 1, 330],
    settings: { systemPrompt: '' },
    inherited,
    ...more,
  })
const passing = (inherited: Record<string, string>) => {
  const environment = environmentOf(inherited)
  return Object.keys(inherited).filter((name) => environment[name] === inherited[name])
}

test.each([
  ['what every program needs', ['LANG', 'LC_ALL', 'TZ', 'TMPDIR', 'USER', 'LOGNAME', 'SHELL']],
  ['a proxy', ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'no_proxy']],
  [
    'a certificate',
    ['NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE', 'CLAUDE_CODE_CLIENT_CERT', 'CLAUDE_CODE_CLIENT_KEY'],
  ],
  ['a key', ['ANTHROPIC_API_KEY']],
  ['a token and its gateway', ['ANTHROPIC_AUTH_TOKEN', 'ANTHROPIC_BASE_URL', 'ANTHROPIC_CUSTOM_HEADERS']],
  ['a subscription token', ['CLAUDE_CODE_OAUTH_TOKEN']],
  [
    'an identity',
    ['ANTHROPIC_FEDERATION_RULE_ID', 'ANTHROPIC_ORGANIZATION_ID', 'ANTHROPIC_IDENTITY_TOKEN_FILE'],
  ],
  ['a choice of models', ['ANTHROPIC_MODEL', 'ANTHROPIC_DEFAULT_OPUS_MODEL', 'ANTHROPIC_SMALL_FAST_MODEL']],
  [
    'Bedrock',
    [
      ...['CLAUDE_CODE_USE_BEDROCK', 'ANTHROPIC_BEDROCK_BASE_URL', 'AWS_REGION', 'AWS_PROFILE'],
      ...['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'AWS_BEARER_TOKEN_BEDROCK'],
      ...['AWS_CONFIG_FILE', 'AWS_SHARED_CREDENTIALS_FILE', 'AWS_WEB_IDENTITY_TOKEN_FILE', 'AWS_ROLE_ARN'],
    ],
  ],
  [
    'Vertex',
    [
      ...['CLAUDE_CODE_USE_VERTEX', 'ANTHROPIC_VERTEX_PROJECT_ID', 'CLOUD_ML_REGION'],
      ...['VERTEX_REGION_CLAUDE_4_5_SONNET', 'GOOGLE_APPLICATION_CREDENTIALS', 'GOOGLE_CLOUD_PROJECT'],
    ],
  ],
  ['Foundry', ['CLAUDE_CODE_USE_FOUNDRY', 'ANTHROPIC_FOUNDRY_API_KEY', 'ANTHROPIC_FOUNDRY_RESOURCE']],
])('%s is inherited', (_, names) => {
  expect(passing(Object.fromEntries(names.map((name) => [name, '1'])))).toEqual(names)
})

test.each([
  ['load code into a program', ['NODE_OPTIONS', 'BUN_OPTIONS', 'NODE_PATH', 'LD_PRELOAD', 'LD_LIBRARY_PATH']],
  ['load code on a Mac', ['DYLD_INSERT_LIBRARIES', 'DYLD_LIBRARY_PATH']],
  [
    'load code into a shell',
    ['BASH_ENV', 'ENV', 'PROMPT_COMMAND', 'BASH_FUNC_ls%%', 'ZDOTDIR', 'PYTHONSTARTUP'],
  ],
  [
    'let git run commands',
    [
      ...['GIT_SSH_COMMAND', 'GIT_EXTERNAL_DIFF', 'GIT_PAGER', 'GIT_EDITOR', 'GIT_CONFIG_GLOBAL'],
      ...['GIT_CONFIG_COUNT', 'GIT_ASKPASS', 'GIT_EXEC_PATH', 'GIT_TEMPLATE_DIR', 'PAGER', 'EDITOR'],
    ],
  ],
  ['configure its search', ['RIPGREP_CONFIG_PATH']],
  [
    'send requests elsewhere',
    [
      ...['ALL_PROXY', 'ANTHROPIC_UNIX_SOCKET', 'AWS_ENDPOINT_URL', 'OTEL_EXPORTER_OTLP_ENDPOINT'],
      ...['CLAUDE_CODE_API_BASE_URL', 'CLAUDE_CODE_CUSTOM_OAUTH_URL', 'NODE_TLS_REJECT_UNAUTHORIZED'],
    ],
  ],
  [
    'make it part of another session',
    [
      ...['CLAUDECODE', 'CLAUDE_CODE_ENTRYPOINT', 'CLAUDE_CODE_SESSION_ID', 'CLAUDE_CODE_REMOTE'],
      ...['CLAUDE_CODE_API_KEY_FILE_DESCRIPTOR', 'CLAUDE_CODE_OAUTH_TOKEN_FILE_DESCRIPTOR'],
    ],
  ],
  ['lift its own limits', ['IS_SANDBOX', 'CLAUDE_CODE_BUBBLEWRAP', 'CLAUDE_CODE_SIMPLE']],
  ['open other accounts', ['AWS_SECRET_ACCESS_KEY', 'GOOGLE_APPLICATION_CREDENTIALS', 'AZURE_CLIENT_SECRET']],
  ['hold other secrets', ['GITHUB_TOKEN', 'NPM_TOKEN', 'DATABASE_URL', 'SSH_AUTH_SOCK']],
])('variables that could %s are not inherited', (_, names) => {
  expect(passing(Object.fromEntries(names.map((name) => [name, '1'])))).toEqual([])
})

test('PATH is inherited without entries that resolve into the workspace', () => {
  expect(environmentOf({ PATH: '/bin:.::bin:./node_modules/.bin:/usr/bin' }).PATH).toBe('/bin:/usr/bin')
})

const LOGIN = {
  ANTHROPIC_API_KEY: 'mine',
  ANTHROPIC_AUTH_TOKEN: 'my token',
  CLAUDE_CODE_OAUTH_TOKEN: 'my login',
}

test('an added login replaces ours entirely: our token is never sent to another address', () => {
  const environment = environmentOf(
    { ...LOGIN, HOME: '/home/me', ANTHROPIC_MODEL: 'opus' },
    { added: { ANTHROPIC_BASE_URL: 'http://127.0.0.1:1' } },
  )
  expect(environment.ANTHROPIC_BASE_URL).toBe('http://127.0.0.1:1')
  expect(environment.ANTHROPIC_MODEL).toBe('opus')
  for (const name of [...Object.keys(LOGIN), 'CLAUDE_SECURESTORAGE_CONFIG_DIR']) {
    expect(environment).not.toHaveProperty(name)
  }
})

test('an added model leaves our login in place', () => {
  expect(environmentOf(LOGIN, { added: { ANTHROPIC_MODEL: 'opus' } })).toMatchObject(LOGIN)
})

test('the limits can be overridden, the markers and HOME cannot', () => {
  const added = { CLAUDE_CODE_MAX_RETRIES: '0', HOME: '/etc', CLAUDE_AGENTS_CALL_ID: 'other' }
  expect(environmentOf({}, { added })).toMatchObject({
    CLAUDE_CODE_MAX_RETRIES: '0',
    HOME,
    CLAUDE_CONFIG_DIR: `${HOME}/.claude`,
    CLAUDE_AGENTS_CALL_ID: 'call-1',
    CLAUDE_AGENTS_HOME: HOME,
  })
})

test('files mentioned in a prompt are not read, in versions with a switch for that and in those without', () => {
  const of = (patch: number) => environmentOf({}, { version: [2, 1, patch] })
  expect(of(330)).toHaveProperty('CLAUDE_CODE_DISABLE_FILE_MENTIONS', '1')
  expect(of(330)).not.toHaveProperty('CLAUDE_CODE_DISABLE_ATTACHMENTS')
  expect(of(197)).toHaveProperty('CLAUDE_CODE_DISABLE_ATTACHMENTS', '1')
})

test('an agent without a shell finds no repository; git status does not run unless the workspace is trusted', () => {
  const of = (settings: Partial<CallEnvironment['settings']>) =>
    environmentOf({}, { settings: { systemPrompt: '', ...settings } })
  expect(of({})).toMatchObject({ GIT_DIR: '/dev/null', CLAUDE_CODE_DISABLE_GIT_INSTRUCTIONS: '1' })
  expect(of({ allowedTools: ['Bash'] })).not.toHaveProperty('GIT_DIR')
  expect(of({ allowedTools: ['Bash'] })).toHaveProperty('CLAUDE_CODE_DISABLE_GIT_INSTRUCTIONS', '1')
  expect(of({ project: true })).not.toHaveProperty('CLAUDE_CODE_DISABLE_GIT_INSTRUCTIONS')
})

test('an agent on a repository is the author of its commits, and hooks run in them only if the repository is trusted', () => {
  const of = (project?: boolean) =>
    environmentOf({}, { settings: { systemPrompt: '', ...(project === undefined ? {} : { project }) } })
  expect(of()).not.toHaveProperty('GIT_AUTHOR_NAME')
  for (const project of [true, false])
    expect(of(project)).toMatchObject({ GIT_AUTHOR_NAME: 'a', GIT_COMMITTER_EMAIL: 'a@claude-agents' })
  expect(of(false)).toMatchObject({ GIT_CONFIG_KEY_0: 'core.hooksPath', GIT_CONFIG_VALUE_0: '/dev/null' })
  expect(of(true)).not.toHaveProperty('GIT_CONFIG_COUNT')
})

test('IS_SANDBOX is inherited only by an agent without permission checks', () => {
  const of = (permissions: 'workspace' | 'bypass') =>
    environmentOf({ IS_SANDBOX: '1' }, { settings: { systemPrompt: '', permissions } })
  expect(of('bypass')).toHaveProperty('IS_SANDBOX', '1')
  expect(of('workspace')).not.toHaveProperty('IS_SANDBOX')
})
