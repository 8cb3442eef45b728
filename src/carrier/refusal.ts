/** What it means when a gateway, or whatever is in its place, does not let somebody in: one TunnelError that says why. */
import type { IncomingMessage } from 'node:http'
import { TunnelError, type TunnelErrorOptions } from '../errors.ts'
import { portalAt } from './portal.ts'
import { explainTls, isOfTls } from './untrusted.ts'

const MAX_REFUSAL_BYTES = 1_024

/** The gateway, or whatever answers in its place, has answered with an HTTP status. */
export async function refusalOf(url: URL, response: IncomingMessage): Promise<TunnelError> {
  const { statusCode: status = 0 } = response
  const text = (await readText(response)).trim()
  const portal = portalAt(url, response, text)
  if (portal !== undefined) return portal
  const said = text === '' || text.startsWith('<') ? '' : `: ${text.split('\n')[0]}`
  switch (status) {
    case 400:
      return new TunnelError('PROTOCOL', `the gateway refused the request${said}`, {
        hint: 'check what --token-file, --client-cert and --header add to it',
      })
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
      return unreachable(url, `it takes no more from you now${said}`, {
        hint: 'wait a moment, and look at what is connected already in your name',
      })
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
  if (isOfTls(code)) return explainTls(url, error)
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

const reasons = new Map([
  ['ECONNREFUSED', 'it refused the connection'],
  ['ENOTFOUND', 'its name does not resolve'],
  ['EAI_AGAIN', 'its name cannot be resolved now'],
  ['ETIMEDOUT', 'it did not answer'],
  ['EHOSTUNREACH', 'there is no way to its host'],
  ['ENETUNREACH', 'there is no way to its network'],
])

export function unreachable(url: URL, why: string, options?: TunnelErrorOptions): TunnelError {
  return new TunnelError('GATEWAY_UNREACHABLE', `cannot reach the gateway at ${url.host}: ${why}`, options)
}
