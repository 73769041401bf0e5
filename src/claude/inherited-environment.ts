/**
 * What a call inherits from our environment: an allowlist, so everything else stays out.
 *
 * Most of what stays out could run code in the child or redirect its requests: NODE_OPTIONS, BUN_OPTIONS, LD_PRELOAD,
 * DYLD_*, BASH_ENV, GIT_*, SSH_*, RIPGREP_CONFIG_PATH, NODE_TLS_REJECT_UNAUTHORIZED, ANTHROPIC_UNIX_SOCKET,
 * AWS_ENDPOINT_URL, and the CLAUDE_CODE_* variables of a session that we may be running in.
 */

import { defined } from '../events/json.ts'
import { absoluteEntries } from '../workspaces/inputs/git-command.ts'

export type Variables = Readonly<Record<string, string | undefined>>

/** What any program needs. */
const ORDINARY = ['LANG', 'LC_ALL', 'TZ', 'TMPDIR', 'USER', 'LOGNAME', 'SHELL']

/** How to reach the service. */
const NETWORK = [
  ...['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'no_proxy'],
  ...['NODE_EXTRA_CA_CERTS', 'SSL_CERT_FILE', 'SSL_CERT_DIR', 'CLAUDE_CODE_CERT_STORE'],
  ...['CLAUDE_CODE_CLIENT_CERT', 'CLAUDE_CODE_CLIENT_KEY', 'CLAUDE_CODE_CLIENT_KEY_PASSPHRASE'],
]

/** Which models to use: neither secrets nor logins. */
const MODELS = /^ANTHROPIC_(MODEL|SMALL_FAST_MODEL|DEFAULT_([A-Z]+_)?MODEL|CUSTOM_MODEL_OPTION|BETAS)$/

/** The user's identity with Anthropic or a gateway, and its address. */
const ANTHROPIC = [
  ...['ANTHROPIC_API_KEY', 'ANTHROPIC_AUTH_TOKEN', 'CLAUDE_CODE_OAUTH_TOKEN'],
  ...['ANTHROPIC_BASE_URL', 'ANTHROPIC_CUSTOM_HEADERS'],
  ...['ANTHROPIC_PROFILE', 'ANTHROPIC_CONFIG_DIR', 'ANTHROPIC_ORGANIZATION_ID', 'ANTHROPIC_WORKSPACE_ID'],
  ...['ANTHROPIC_FEDERATION_RULE_ID', 'ANTHROPIC_SERVICE_ACCOUNT_ID', 'ANTHROPIC_SCOPE'],
  ...['ANTHROPIC_IDENTITY_TOKEN', 'ANTHROPIC_IDENTITY_TOKEN_FILE'],
]

/**
 * A cloud that serves the models. Its keys open far more than that, so they are passed on only if the cloud is
 * enabled.
 */
export interface Cloud {
  readonly on: string
  readonly variables: RegExp
}

export const CLOUDS: readonly Cloud[] = [
  {
    on: 'CLAUDE_CODE_USE_BEDROCK',
    variables:
      /^(CLAUDE_CODE_(USE|SKIP)_BEDROCK(_AUTH)?|ANTHROPIC_BEDROCK_(BASE_URL|SERVICE_TIER)|ANTHROPIC_SMALL_FAST_MODEL_AWS_REGION|AWS_(REGION|DEFAULT_REGION|PROFILE|ACCESS_KEY_ID|SECRET_ACCESS_KEY|SESSION_TOKEN|BEARER_TOKEN_BEDROCK|CONFIG_FILE|SHARED_CREDENTIALS_FILE|CA_BUNDLE|ROLE_ARN|ROLE_SESSION_NAME|WEB_IDENTITY_TOKEN_FILE|CONTAINER_CREDENTIALS_(FULL|RELATIVE)_URI|CONTAINER_AUTHORIZATION_TOKEN(_FILE)?|EC2_METADATA_DISABLED))$/,
  },
  {
    on: 'CLAUDE_CODE_USE_VERTEX',
    variables:
      /^(CLAUDE_CODE_(USE|SKIP)_VERTEX(_AUTH)?|ANTHROPIC_VERTEX_(PROJECT_ID|BASE_URL)|CLOUD_ML_REGION|VERTEX_REGION_[A-Z0-9_]+|GOOGLE_APPLICATION_CREDENTIALS|GOOGLE_CLOUD_(PROJECT|QUOTA_PROJECT)|GCLOUD_PROJECT|CLOUDSDK_CONFIG)$/,
  },
  {
    on: 'CLAUDE_CODE_USE_FOUNDRY',
    variables:
      /^(CLAUDE_CODE_(USE|SKIP)_FOUNDRY(_AUTH)?|ANTHROPIC_FOUNDRY_(API_KEY|BASE_URL|RESOURCE)|AZURE_(TENANT_ID|CLIENT_ID|CLIENT_SECRET|FEDERATED_TOKEN_FILE))$/,
  },
]

/** Whether a variable identifies the user to the service, or says where the service is. */
export const isLogin = (name: string): boolean =>
  ANTHROPIC.includes(name) || CLOUDS.some(({ variables }) => variables.test(name))

/** Parsed as the CLI parses a switch. */
export const isOn = (value: string | undefined): boolean =>
  value !== undefined && /^(1|true|yes|on)$/i.test(value.trim())

/** The inherited variables, with the login only if `withLogin`. */
export function inheritedEnvironment(inherited: Variables, withLogin: boolean): Record<string, string> {
  const clouds = CLOUDS.filter(({ on }) => isOn(inherited[on]))
  const passes = (name: string) =>
    ORDINARY.includes(name) ||
    NETWORK.includes(name) ||
    MODELS.test(name) ||
    (withLogin && (ANTHROPIC.includes(name) || clouds.some(({ variables }) => variables.test(name))))
  const passed = Object.entries(inherited).flatMap(([name, value]) =>
    value !== undefined && passes(name) ? [[name, value] as const] : [],
  )
  return {
    ...defined({ PATH: inherited.PATH === undefined ? undefined : absoluteEntries(inherited.PATH) }),
    ...Object.fromEntries(passed),
  }
}
