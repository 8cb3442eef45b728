/** The port for operators and probes: `/healthz`, `/readyz`, `/metrics`. Never the port that the world reaches. */
import { createServer, type ServerResponse } from 'node:http'
import { type HostPort, listen } from '../net/listen.ts'
import { createMetrics, type Metric } from './metrics.ts'

export interface AdminOptions {
  readonly listen: HostPort
  /** Undefined when ready, otherwise why not, in a few words. */
  readonly notReady: () => string | undefined
  readonly metrics: readonly Metric[]
}

/**
 * Serves until `signal` aborts. Resolves with the address once it listens.
 * @throws TunnelError LISTEN or PORT_TAKEN
 */
export async function serveAdmin(options: AdminOptions, signal: AbortSignal): Promise<string> {
  const scrape = createMetrics(options.metrics)
  const server = createServer((request, response) => {
    const path = request.url?.split('?')[0]
    if (request.method !== 'GET' && request.method !== 'HEAD') return answer(response, 405, 'method not allowed')
    switch (path) {
      case '/healthz':
        return answer(response, 200, 'ok')
      case '/readyz': {
        const why = options.notReady()
        return answer(response, why === undefined ? 200 : 503, why ?? 'ready')
      }
      case '/metrics':
        return void scrape().then(
          ({ contentType, text }) => response.writeHead(200, { 'content-type': contentType }).end(text),
          () => answer(response, 500, 'the metrics could not be read'),
        )
      default:
        return answer(response, 404, 'there is /healthz, /readyz and /metrics')
    }
  })
  server.headersTimeout = 10_000
  server.requestTimeout = 10_000
  const address = await listen(server, options.listen)
  signal.addEventListener('abort', () => {
    server.close()
    server.closeAllConnections()
  })
  return address
}

function answer(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store' })
  response.end(`${text}\n`)
}
