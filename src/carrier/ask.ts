/** One HTTP request to a gateway: for what needs no carrier. */
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { TunnelError } from '../errors.ts'
import { readSmallStream } from '../net/smallfile.ts'
import { approach, type GatewayAddress } from './approach.ts'
import { gatewayEndpoint } from './dial.ts'
import { portalAt } from './portal.ts'
import { explain, refusalOf, unreachable } from './refusal.ts'

export interface AskOptions extends GatewayAddress {
  /** Below the gateway's own: `/v1/services`. */
  readonly path: string
  /** That of connect; absent for what anybody may ask, or where a certificate names this end. */
  readonly token?: string | undefined
  /** Sent as JSON, by POST. */
  readonly body?: object
  readonly signal: AbortSignal
  /** Of silence. */
  readonly timeoutMs?: number
  /** For the whole answer. */
  readonly wholeMs?: number
}

const TIMEOUT_MS = 10_000
const WHOLE_MS = 30_000
const MAX_ANSWER_BYTES = 16 * 1024 * 1024

export interface Answer {
  /** Out of JSON; untrusted. */
  readonly body: unknown
  /** What the clock of whoever has answered says, in milliseconds since 1970, to the second. */
  readonly date: number | undefined
}

/** @throws TunnelError as `dialGateway` */
export async function askGateway(options: AskOptions): Promise<Answer> {
  const { url, wholeMs = WHOLE_MS } = options
  const whole = AbortSignal.timeout(wholeMs)
  const response = await respond(options, whole)
  if (response.statusCode !== 200) throw await refusalOf(url, response)
  const text = await readSmallStream(response, MAX_ANSWER_BYTES).catch(() => undefined)
  if (text === undefined && whole.aborted) throw tooSlow(url, wholeMs)
  try {
    const date = Date.parse(response.headers.date ?? '')
    return { body: JSON.parse(text ?? ''), date: Number.isNaN(date) ? undefined : date }
  } catch (cause) {
    const portal = portalAt(url, response, text ?? '')
    if (portal !== undefined) throw portal
    throw new TunnelError('NOT_A_GATEWAY', `${url.host} is not a tunnelctl gateway: its answer is not JSON`, { cause })
  }
}

const tooSlow = (url: URL, ms: number): TunnelError => unreachable(url, `its answer did not end within ${ms / 1000} s`)

async function respond(options: AskOptions, whole: AbortSignal): Promise<IncomingMessage> {
  const { url, path, token, body, signal, timeoutMs = TIMEOUT_MS } = options
  const endpoint = gatewayEndpoint(url, path)
  const { headers, ...approached } = await approach(options, token)
  return await new Promise((resolve, reject) => {
    const request = (url.protocol === 'wss:' ? httpsRequest : httpRequest)(
      endpoint,
      {
        // A connection that is kept would keep the process.
        agent: false,
        ...approached,
        method: body === undefined ? 'GET' : 'POST',
        headers: { ...headers, accept: 'application/json' },
        signal: AbortSignal.any([signal, whole]),
        timeout: timeoutMs,
      },
      resolve,
    )
    request.end(body === undefined ? undefined : JSON.stringify(body))
    request.on('timeout', () => request.destroy(unreachable(url, `it did not answer within ${timeoutMs / 1000} s`)))
    request.on('error', error => {
      if (signal.aborted) reject(new TunnelError('INTERRUPTED', 'interrupted'))
      else if (whole.aborted) reject(tooSlow(url, options.wholeMs ?? WHOLE_MS))
      else reject(error instanceof TunnelError ? error : explain(url, error))
    })
  })
}
