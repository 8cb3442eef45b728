/** The service that takes bodies: it answers with their length, and for /digest with their sha256 too. */
import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import { serve } from './serve.ts'

serve(
  createServer((request, response) => {
    const hash = request.url === '/digest' ? createHash('sha256') : undefined
    let bytes = 0
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      hash?.update(chunk)
    })
    request.on('end', () => {
      const body = hash === undefined ? String(bytes) : `${bytes} ${hash.digest('hex')}`
      response.writeHead(200, { 'Content-Length': String(body.length) }).end(body)
    })
  }),
)
