/** A gateway with an ingress, an agent behind it, and what speaks HTTP to both ends of it. */
import { once } from 'node:events'
import {
  createServer,
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type RequestListener,
  type RequestOptions,
  type Server,
} from 'node:http'
import { connect, type Socket } from 'node:net'
import type { JsonLine } from './processes.ts'
import { serve, within } from './sockets.ts'
import { type Agent, type Gateway, type Scope, Site, serviceArgs } from './tunnel.ts'

export const DOMAIN = 'in.test'

export interface IngressOptions {
  /** The port on loopback where each target's service is. */
  readonly services: Readonly<Record<string, number>>
  readonly gatewayArgs?: readonly string[]
  readonly agentArgs?: readonly string[]
  /** What needs no token; everything by default. */
  readonly open?: string
}

export interface IngressUnderTest {
  readonly site: Site
  readonly gateway: Gateway
  readonly agent: Agent
  readonly port: number
  /** The line of the access log for this request, which is written when it is over. */
  logged(matches: (event: JsonLine) => boolean): Promise<JsonLine>
}

export async function startIngress(scope: Scope, options: IngressOptions): Promise<IngressUnderTest> {
  const { services, gatewayArgs = [], agentArgs = [], open = '*/*:*' } = options
  const site = await Site.create(scope)
  const gateway = await site.gateway(['--ingress-domain', DOMAIN, '--ingress-public', open, ...gatewayArgs])
  const agent = await site.agent(gateway, [...serviceArgs(services), ...agentArgs])
  const port = portOf(gateway)
  const logged = (matches: (event: JsonLine) => boolean) => gateway.process.event('request', matches)
  return { site, gateway, agent, port, logged }
}

export const portOf = ({ address }: Pick<Gateway, 'address'>): number => Number(address.split(':').at(-1))

/** `web/prod:80` as the ingress is asked for it. */
export function hostFor(target: string, agent?: string): string {
  const [, service, namespace, port] = /^(.+)\/(.+):(.+)$/.exec(target) ?? []
  return `${[service, namespace, port, ...(agent === undefined ? [] : [agent])].join('--')}.${DOMAIN}`
}

/** An HTTP service of Node on a free port of loopback. */
export async function serveHttp(scope: Scope, listener: RequestListener): Promise<{ server: Server; port: number }> {
  const server = createServer({ keepAliveTimeout: 60_000, requestTimeout: 0 }, listener)
  server.listen({ port: 0, host: '127.0.0.1', backlog: 4_096 })
  await once(server, 'listening')
  scope.after(() => {
    server.close()
    server.closeAllConnections()
  })
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('no address')
  return { server, port: address.port }
}

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly rawHeaders: readonly string[]
  readonly body: Buffer
  readonly trailers: readonly string[]
}

export interface Question extends Omit<RequestOptions, 'headers'> {
  /** Of the service: becomes the Host. */
  readonly target: string
  readonly headers?: Readonly<Record<string, string | readonly string[]>>
  readonly body?: Buffer | string
}

/** A request whose body the caller sends, on a connection of its own. */
export function asking(port: number, { target, headers = {}, body: _, ...options }: Question) {
  const all = { host: hostFor(target), ...(headers as Record<string, string>) }
  const request = httpRequest({ port, host: '127.0.0.1', agent: false, ...options, headers: all })
  request.on('error', () => {})
  const response = new Promise<IncomingMessage>((resolve, reject) => {
    request.once('response', resolve)
    request.once('error', reject)
    request.once('close', () => reject(new Error('closed without an answer')))
  })
  const answered = within(response, `answer of ${target}`)
  // Some callers never look.
  answered.catch(() => {})
  return { request, answered }
}

/** Rejects when the answer does not come, or not whole. */
export async function ask(port: number, question: Question): Promise<Answer> {
  const { request, answered } = asking(port, question)
  request.end(question.body)
  return await read(await answered)
}

export async function read(message: IncomingMessage): Promise<Answer> {
  const chunks: Buffer[] = []
  for await (const chunk of message) chunks.push(chunk as Buffer)
  const { statusCode: status = 0, headers, rawHeaders, rawTrailers: trailers } = message
  return { status, headers, rawHeaders, body: Buffer.concat(chunks), trailers }
}

/** Sends these bytes, and gives what comes back until the other side closes. */
export async function talk(port: number, bytes: string | Buffer): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  socket.on('error', () => {})
  socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes)
  return await heard(socket)
}

export async function heard(socket: Socket): Promise<string> {
  let text = ''
  socket.on('data', chunk => {
    text += chunk.toString('latin1')
  })
  socket.on('end', () => socket.end())
  if (!socket.closed) await within(once(socket, 'close'), 'end of the connection')
  return text
}

export const statusOf = (answer: string): number => Number(/^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1] ?? 0)

/** Resolves with all that came, as soon as `end` is part of it. */
export async function heardUntil(socket: Socket, end: string): Promise<string> {
  let text = ''
  let hear = (_: Buffer) => {}
  const found = new Promise<string>((resolve, reject) => {
    hear = chunk => {
      text += chunk.toString('latin1')
      if (text.includes(end)) resolve(text)
    }
    socket.on('data', hear)
    socket.once('close', () => reject(new Error(`closed after ${JSON.stringify(text)}`)))
  })
  try {
    return await within(found, JSON.stringify(end))
  } finally {
    socket.off('data', hear)
  }
}

export interface RawService {
  readonly port: number
  /** What each connection has sent, byte by byte. */
  readonly received: string[]
}

export const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

/** A service that writes down exactly what it gets, and says `answer` to each connection when a head is whole. */
export async function serveRaw(scope: Scope, answer: string | ((socket: Socket) => void) = OK): Promise<RawService> {
  const received: string[] = []
  const port = await serve(scope, socket => {
    const index = received.push('') - 1
    let answered = false
    socket.on('end', () => socket.end())
    socket.on('data', chunk => {
      received[index] += chunk.toString('latin1')
      if (answered || !received[index]?.includes('\r\n\r\n')) return
      answered = true
      if (typeof answer === 'function') answer(socket)
      else socket.end(Buffer.from(answer, 'latin1'))
    })
  })
  return { port, received }
}
