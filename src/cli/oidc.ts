/**
 * Logging in at an OIDC issuer with a device code (RFC 8628), and again with a refresh token: no browser on this machine is
 * needed, and no port that it could come back to. Loaded only to do it.
 */
import {
  allowInsecureRequests,
  ClientError,
  type Configuration,
  type DeviceAuthorizationGrantPollOptions,
  discovery,
  initiateDeviceAuthorization,
  None,
  pollDeviceAuthorizationGrant,
  ResponseBodyError,
  refreshTokenGrant,
} from 'openid-client'
import { TunnelError } from '../errors.ts'
import { formatDuration } from '../net/duration.ts'
import { isLoopback } from '../net/loopback.ts'
import { escapeText } from '../observe/escape.ts'

/** What a gateway says of its issuer (docs/protocol.md, "Login"). */
export interface LoginOffer {
  readonly issuer: string
  readonly clientId: string
  readonly scopes: readonly string[]
}

export interface Tokens {
  readonly idToken: string
  /** Absent when the issuer gives none: then the login ends with the token. */
  readonly refreshToken?: string
}

const MAX_URL = 500
const MAX_CODE = 64

/**
 * Tells the user through `say` where to go, and waits until that is done.
 * @throws TunnelError UNAUTHENTICATED, ISSUER_UNREACHABLE, INTERRUPTED
 */
export async function logInByDevice(
  offer: LoginOffer,
  say: (line: string) => void,
  signal: AbortSignal,
): Promise<Tokens> {
  return await explained(offer.issuer, signal, async () => {
    const issuer = await configurationOf(offer)
    const asked = await initiateDeviceAuthorization(issuer, { scope: offer.scopes.join(' ') })
    const { verification_uri: where, verification_uri_complete: whole, user_code: code, expires_in: lifetime } = asked
    say(`open   ${escapeText(whole ?? where, MAX_URL)}`)
    say(`code   ${escapeText(code, MAX_CODE)}, good for ${formatDuration(lifetime * 1000)}`)
    const options: DeviceAuthorizationGrantPollOptions = { signal }
    return tokensOf(offer.issuer, await pollDeviceAuthorizationGrant(issuer, asked, undefined, options))
  })
}

/**
 * @param timeoutMs for both requests together
 * @throws TunnelError UNAUTHENTICATED when the issuer does not renew it any more, ISSUER_UNREACHABLE
 */
export async function renewTokens(
  offer: Omit<LoginOffer, 'scopes'>,
  refreshToken: string,
  timeoutMs: number,
): Promise<Tokens> {
  return await explained(offer.issuer, undefined, async () => {
    const issuer = await configurationOf(offer, timeoutMs / 2 / 1000)
    const tokens = tokensOf(offer.issuer, await refreshTokenGrant(issuer, refreshToken))
    // Issuers that do not rotate it send none.
    return { refreshToken, ...tokens }
  })
}

/** @param timeout in seconds, of each request */
async function configurationOf(
  { issuer, clientId }: Omit<LoginOffer, 'scopes'>,
  timeout?: number,
): Promise<Configuration> {
  const url = new URL(issuer)
  const execute = url.protocol === 'http:' && isLoopback(url.hostname) ? [allowInsecureRequests] : []
  return await discovery(url, clientId, undefined, None(), { execute, ...(timeout !== undefined && { timeout }) })
}

function tokensOf(issuer: string, answer: { id_token?: string; refresh_token?: string }): Tokens {
  const { id_token: idToken, refresh_token: refreshToken } = answer
  if (idToken === undefined) throw failed(issuer, 'it sends no ID token')
  return { idToken, ...(refreshToken !== undefined && { refreshToken }) }
}

async function explained(
  issuer: string,
  signal: AbortSignal | undefined,
  task: () => Promise<Tokens>,
): Promise<Tokens> {
  try {
    return await task()
  } catch (thrown) {
    if (signal?.aborted) throw new TunnelError('INTERRUPTED', 'interrupted')
    if (thrown instanceof TunnelError) throw thrown
    // Not kept as the cause: it may carry the tokens.
    throw explain(issuer, thrown as Error)
  }
}

function explain(issuer: string, thrown: Error): TunnelError {
  if (thrown instanceof ResponseBodyError) return failed(issuer, answers.get(thrown.error) ?? thrown.error)
  const { code } = (thrown.cause ?? {}) as { code?: unknown }
  if (thrown instanceof ClientError && thrown.cause === undefined) return failed(issuer, thrown.message)
  const why = typeof code === 'string' ? code : thrown.message
  return new TunnelError('ISSUER_UNREACHABLE', `cannot log in at ${issuer}: ${why}`)
}

/** RFC 8628, section 3.5, and RFC 6749, section 5.2. */
const answers = new Map([
  ['access_denied', 'the login was refused there'],
  ['expired_token', 'nobody entered the code in time'],
  ['invalid_grant', 'the login has ended'],
  ['invalid_client', 'it does not know the client id that the gateway gives'],
  ['unauthorized_client', 'it does not let this client log in by a device code'],
])

function failed(issuer: string, why: string): TunnelError {
  return new TunnelError('UNAUTHENTICATED', `not logged in at ${issuer}: ${why}`, {
    hint: 'log in with: tunnelctl login --gateway URL',
  })
}
