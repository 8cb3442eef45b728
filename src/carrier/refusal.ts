/** What it means when a gateway, or whatever is in its place, does not let somebody in: one TunnelError that says why. */
import type { IncomingMessage } from 'node:http'
import { TunnelError, type TunnelErrorOptions } from '../errors.ts'

const MAX_REFUSAL_BYTES = 1_024

/** The gateway, or whatever answers in its place, has answered with an HTTP status. */
export async function refusalOf(url: URL, response: IncomingMessage): Promise<TunnelError> {
  const { statusCode: status = 0 } = response
  const text = (await readText(response)).trim()
  const said = text === '' || text.startsWith('<') ? '' : `: ${text.split('\n')[0]}`
  switch (status) {
    case 400:
      return new TunnelError('PROTOCOL', `the gateway refused the request${said}`)
    case 401:
      return new TunnelError('UNAUTHENTICATED', `the gateway does not accept the token${said}`)
    case 403:
      return new TunnelError('FORBIDDEN', `the gateway forbids this${said}`)
    case 407:
      return unreachable(url, 'the proxy in between wants a user and a password', {
        hint: 'put them into HTTPS_PROXY, as http://user:password@proxy:3128',
      })
    case 426:
      return new TunnelError('VERSION', `the gateway speaks another version${said}`)
    case 429:
    case 502:
    case 503:
    case 504:
      return unreachable(url, `it answered with status ${status}${said}`)
    default:
      return new TunnelError(
        'NOT_A_GATEWAY',
        `${url.host} is not a tunnelctl gateway: it answered with status ${status}`,
      )
  }
}

async function readText(response: IncomingMessage): Promise<string> {
  let text = ''
  try {
    for await (const chunk of response) {
      text += String(chunk)
      if (text.length >= MAX_REFUSAL_BYTES) break
    }
  } catch {
    // What was read so far says enough.
  }
  return text.slice(0, MAX_REFUSAL_BYTES)
}

export function explain(url: URL, error: NodeJS.ErrnoException): TunnelError {
  const { code = '' } = error
  if (/^(ERR_TLS|CERT_|ERR_SSL|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|HOSTNAME_MISMATCH|EPROTO)/.test(code)) {
    const hint = NO_TLS.has(code) ? { hint: 'check the URL of --gateway: without TLS there, write ws://' } : {}
    return new TunnelError('TLS', `no secure connection to ${url.host}: ${tlsReasons.get(code) ?? error.message}`, {
      cause: error,
      ...hint,
    })
  }
  if (code.startsWith('HPE_') || /Sec-WebSocket|Invalid (Upgrade|status)|Server sent/i.test(error.message)) {
    return new TunnelError('NOT_A_GATEWAY', `${url.host} is not a tunnelctl gateway: it does not speak WebSocket`, {
      cause: error,
    })
  }
  if (code === 'ECONNRESET') {
    const scheme = url.protocol === 'wss:' ? 'without TLS there, write ws://' : 'with TLS there, write wss://'
    return unreachable(url, 'it closed the connection', { cause: error, hint: `check the URL of --gateway: ${scheme}` })
  }
  return unreachable(url, reasons.get(code) ?? (code || error.message), { cause: error })
}

const NO_TLS: ReadonlySet<string> = new Set(['EPROTO', 'ERR_SSL_WRONG_VERSION_NUMBER'])

const reasons = new Map([
  ['ECONNREFUSED', 'it refused the connection'],
  ['ENOTFOUND', 'its name does not resolve'],
  ['EAI_AGAIN', 'its name cannot be resolved now'],
  ['ETIMEDOUT', 'it did not answer'],
  ['EHOSTUNREACH', 'there is no way to its host'],
  ['ENETUNREACH', 'there is no way to its network'],
])

const tlsReasons = new Map([
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'its certificate is self-signed'],
  ['SELF_SIGNED_CERT_IN_CHAIN', 'its certificate is signed by an authority that this machine does not know'],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'its certificate is signed by an authority that this machine does not know'],
  ['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'its certificate is signed by an authority that this machine does not know'],
  ['CERT_HAS_EXPIRED', 'its certificate has expired'],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'its certificate is for another name'],
  ['EPROTO', 'it does not speak TLS there'],
  ['ERR_SSL_WRONG_VERSION_NUMBER', 'it does not speak TLS there'],
])

export function unreachable(url: URL, why: string, options?: TunnelErrorOptions): TunnelError {
  return new TunnelError('GATEWAY_UNREACHABLE', `cannot reach the gateway at ${url.host}: ${why}`, options)
}
