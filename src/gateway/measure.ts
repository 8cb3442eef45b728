/** The first leg of a path: the gateway sends as much as goes, or counts what comes (protocol.md, "Measuring"). */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { TunnelError } from '../errors.ts'
import { count, MAX_MEASURES, pour } from '../net/measure.ts'

let running = 0

/** @throws TunnelError OVERLOAD when as many are measured as may be */
export function answerMeasure(request: IncomingMessage, response: ServerResponse): void {
  if (running >= MAX_MEASURES) throw new TunnelError('OVERLOAD', 'others are measuring')
  running++
  response.once('close', () => {
    running--
  })
  response.setHeader('cache-control', 'no-store')
  if (request.method === 'GET') {
    response.setHeader('content-type', 'application/octet-stream')
    return pour(response)
  }
  request.on('error', () => {})
  count(request, bytes => response.end(String(bytes)))
}
