/** The sample service behind the tunnel: a page and bulk data over HTTP, and an echo over plain TCP. */
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer, type Socket } from 'node:net'
import { listen } from '../../net/listen.ts'
import type { Log } from '../../observe/log.ts'
import { Keystream } from './keystream.ts'
import { page, type Story, storyFromJson } from './page.ts'

const MAX_STORY_BYTES = 16_384
const MAX_DOWNLOAD_MS = 10_000

/** Serves on free ports of loopback until `signal` aborts; logs `listening` with both when ready. */
export async function serveSample(signal: AbortSignal, log: Log): Promise<void> {
  let story: Story = []
  const web = createHttpServer((request, response) => {
    answer(request, response).catch(() => response.destroy())
  })
  const echoing = new Set<Socket>()
  const echo = createServer({ allowHalfOpen: true, noDelay: true }, socket => {
    echoing.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => echoing.delete(socket))
    socket.pipe(socket)
  })

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://demo')
    const number = (name: string) => Number(searchParams.get(name) ?? 0) >>> 0
    switch (`${request.method} ${pathname}`) {
      case 'GET /':
        response.setHeader('content-type', 'text/html; charset=utf-8').end(page(story))
        return
      case 'PUT /story':
        story = storyFromJson(JSON.parse(await readText(request)))
        response.writeHead(204).end()
        return
      case 'GET /bytes':
        return await send(response, number('seed'), Math.min(number('ms'), MAX_DOWNLOAD_MS))
      case 'POST /bytes':
        response.end(JSON.stringify(await check(request, number('seed'))))
        return
      default:
        response.writeHead(404).end('There is only / here.\n')
    }
  }

  const at = { host: '127.0.0.1', port: 0 }
  log.info('listening', { web: await listen(web, at), echo: await listen(echo, at) })
  if (!signal.aborted) await new Promise(resolve => signal.addEventListener('abort', resolve, { once: true }))
  web.close()
  web.closeAllConnections()
  echo.close()
  for (const socket of echoing) socket.destroy()
}

/** The keystream for `ms`. The chunked coding (RFC 9112, 7.1) tells the reader that nothing is missing at the end. */
async function send(response: ServerResponse, seed: number, ms: number): Promise<void> {
  const bytes = new Keystream(seed)
  const until = performance.now() + ms
  const closed = new Promise(resolve => response.once('close', resolve))
  while (performance.now() < until && !response.destroyed) {
    if (!response.write(bytes.next())) {
      await Promise.race([new Promise(resolve => response.once('drain', resolve)), closed])
    }
  }
  response.end()
}

export interface Receipt {
  readonly bytes: number
  readonly intact: boolean
}

async function check(request: IncomingMessage, seed: number): Promise<Receipt> {
  const expected = new Keystream(seed)
  let bytes = 0
  let intact = true
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    intact &&= expected.matches(chunk)
  }
  return { bytes, intact }
}

async function readText(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > MAX_STORY_BYTES) throw new Error('the story is too long')
    parts.push(chunk)
  }
  return Buffer.concat(parts).toString()
}
