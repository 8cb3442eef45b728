/** Node's own servers as the gateway sets them up, plain and with TLS. They do not listen: the front door hands connections on to them. */
import {
  createServer as createHttpServer,
  type Server as HttpServer,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http'
import { createServer as createHttpsServer, type Server as HttpsServer } from 'node:https'
import type { Duplex } from 'node:stream'
import type { Certificates } from './certificates.ts'
import { hostOf } from './ingress/host.ts'
import type { GatewayLimits } from './limits.ts'

const MAX_HEADER_FIELDS = 256
/** How long a connection may wait for its next request: longer than load balancers keep one, which is 60 s. */
const IDLE_TIMEOUT_MS = 75_000

type ArrivalLimits = Pick<GatewayLimits, 'arrivalMs'>

const timeouts = ({ arrivalMs }: ArrivalLimits) => ({
  headersTimeout: arrivalMs,
  // Uploads take as long as they take; who stands still is ended where it matters.
  requestTimeout: 0,
  connectionsCheckingInterval: Math.min(5_000, arrivalMs),
  keepAliveTimeout: IDLE_TIMEOUT_MS,
})

export const createPlainServer = (limits: ArrivalLimits): HttpServer => settled(createHttpServer(timeouts(limits)))

export function createTlsServer(certificates: Certificates, limits: ArrivalLimits): HttpsServer {
  const server = createHttpsServer({
    ...timeouts(limits),
    ...certificates.serverOptions,
    handshakeTimeout: limits.arrivalMs,
  })
  certificates.follow(server)
  return settled(server)
}

export const hasTooManyFields = ({ rawHeaders }: IncomingMessage): boolean => rawHeaders.length > 2 * MAX_HEADER_FIELDS

function settled<T extends HttpServer | HttpsServer>(server: T): T {
  // Node would drop what is too much, in silence; what is too long in all, it refuses.
  server.maxHeadersCount = 0
  server.on('clientError', answerClientError)
  return server
}

/** What is no HTTP, or not in time: a status by Node's own name for it, and the end. */
function answerClientError(error: NodeJS.ErrnoException, socket: Duplex): void {
  // As Node itself finds it: what was written into an answer that has begun would be taken for a part of it.
  const { _httpMessage: answer } = socket as Duplex & { readonly _httpMessage?: ServerResponse | null }
  if (!socket.writable || error.code === 'ECONNRESET' || answer?.headersSent) return void socket.destroy()
  const status = clientErrors.get(error.code ?? '') ?? '400 Bad Request'
  socket.once('finish', () => socket.destroy())
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
}

const clientErrors = new Map([
  ['HPE_HEADER_OVERFLOW', '431 Request Header Fields Too Large'],
  ['HPE_CHUNK_EXTENSIONS_OVERFLOW', '413 Payload Too Large'],
  ['ERR_HTTP_REQUEST_TIMEOUT', '408 Request Timeout'],
])

/** The same place, over TLS at its own port; nobody is asked to bring a body again. */
export function redirectToTls({ headers, url = '/' }: IncomingMessage, response: ServerResponse): void {
  const host = hostOf(headers.host ?? '')
  const head = { Connection: 'close', 'Content-Length': '0' }
  if (host === undefined || !url.startsWith('/')) response.writeHead(400, head)
  else
    response.writeHead(308, { ...head, Location: `https://${host}${url.replace(/[^\x21-\x7e]/g, encodeURIComponent)}` })
  response.end()
}
