/** One HTTP request to a gateway: for what needs no carrier. */
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { TunnelError } from '../errors.ts'
import { readSmallStream } from '../net/smallfile.ts'
import { type GatewayAddress, gatewayEndpoint, readCa } from './dial.ts'
import { explain, refusalOf, unreachable } from './refusal.ts'

export interface AskOptions extends GatewayAddress {
  /** Below the gateway's own: `/v1/services`. */
  readonly path: string
  /** That of connect; absent for what anybody may ask. */
  readonly token?: string
  /** Sent as JSON, by POST. */
  readonly body?: object
  readonly signal: AbortSignal
  readonly timeoutMs?: number
}

const TIMEOUT_MS = 10_000
const MAX_ANSWER_BYTES = 16 * 1024 * 1024

export interface Answer {
  /** Out of JSON; untrusted. */
  readonly body: unknown
  /** What the clock of whoever has answered says, in milliseconds since 1970, to the second. */
  readonly date: number | undefined
}

/** @throws TunnelError as `dialGateway` */
export async function askGateway(options: AskOptions): Promise<Answer> {
  const { url } = options
  const response = await respond(options)
  if (response.statusCode !== 200) throw await refusalOf(url, response)
  const text = await readSmallStream(response, MAX_ANSWER_BYTES).catch(() => undefined)
  try {
    const date = Date.parse(response.headers.date ?? '')
    return { body: JSON.parse(text ?? ''), date: Number.isNaN(date) ? undefined : date }
  } catch (cause) {
    throw new TunnelError('NOT_A_GATEWAY', `${url.host} is not a tunnelctl gateway: its answer is not JSON`, { cause })
  }
}

function respond({
  url,
  path,
  token,
  body,
  caFile,
  agent,
  signal,
  timeoutMs = TIMEOUT_MS,
}: AskOptions): Promise<IncomingMessage> {
  const secure = url.protocol === 'wss:'
  const endpoint = gatewayEndpoint(url, path)
  const ca = caFile === undefined ? undefined : readCa(caFile)
  return new Promise((resolve, reject) => {
    const request = (secure ? httpsRequest : httpRequest)(
      endpoint,
      {
        // A connection that is kept would keep the process.
        agent: agent ?? false,
        method: body === undefined ? 'GET' : 'POST',
        headers: { accept: 'application/json', ...(token !== undefined && { authorization: `Bearer ${token}` }) },
        signal,
        timeout: timeoutMs,
        ...(ca !== undefined && { ca }),
      },
      resolve,
    )
    request.end(body === undefined ? undefined : JSON.stringify(body))
    request.on('timeout', () => request.destroy(unreachable(url, `it did not answer within ${timeoutMs / 1000} s`)))
    request.on('error', error => {
      if (signal.aborted) reject(new TunnelError('INTERRUPTED', 'interrupted'))
      else reject(error instanceof TunnelError ? error : explain(url, error))
    })
  })
}
