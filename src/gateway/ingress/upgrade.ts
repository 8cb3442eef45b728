/**
 * A request to go on in another protocol. Nothing of what the client sends behind it is passed on before the service has agreed;
 * from then on bytes are piped as they are, both ways, with half-close: what they mean is nobody's business here.
 */
import { request as httpRequest, type IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { abort, splice, type Tap } from '../../net/splice.ts'
import { valuesOf } from '../header.ts'
import { Failure, failureOf } from './failure.ts'
import type { Watched } from './patience.ts'
import { type Exchanger, MAX_HEADER_BYTES, type Plan } from './plan.ts'

export interface UpgradePlan extends Plan {
  /** As the client has written it. */
  readonly token: string
  /** Sees what is piped, if somebody wants it seen. */
  readonly tap: Tap | undefined
}

/**
 * The one token that the client asks for.
 * @throws Failure 501 for one that may not pass, 400 for a request that cannot be upgraded
 */
export function upgradeToken(request: IncomingMessage, allowed: ReadonlySet<string>): string {
  const tokens = valuesOf(request.rawHeaders, 'upgrade').flatMap(value => value.split(',').map(each => each.trim()))
  const [token = ''] = tokens
  if (tokens.length !== 1 || !allowed.has(token.toLowerCase())) {
    throw new Failure(501, 'UPGRADE', 'This upgrade is not passed on.')
  }
  // Node takes the body of such a request for bytes behind it.
  if (request.headers['transfer-encoding'] !== undefined || Number(request.headers['content-length'] ?? 0) > 0) {
    throw new Failure(400, 'PROTOCOL', 'A request to upgrade has no body.')
  }
  const isWebSocket = token.toLowerCase() === 'websocket'
  if (isWebSocket && (request.method !== 'GET' || request.headers['sec-websocket-key'] === undefined)) {
    throw new Failure(400, 'PROTOCOL', 'This is no handshake of WebSocket.')
  }
  return token
}

/**
 * Resolves when the connection is over.
 * @param socket of the client, with an `error` listener; nobody reads it
 * @param head what the client has sent behind the request
 * @throws Failure while nothing was answered: the caller answers
 */
export function passUpgrade(
  { patience, fresh, totals }: Exchanger,
  request: IncomingMessage,
  socket: Socket,
  head: Buffer,
  plan: UpgradePlan,
): Promise<void> {
  const { agent, target, method, url, fields, record, token, idleTimeoutMs, answerFields, tap } = plan
  record.transition('opening')
  return new Promise((resolve, reject) => {
    const gone = new AbortController()
    const connected = () => {
      record.connected = true
      record.transition('sent')
    }
    const upstream = httpRequest({
      ...{ service: { agent, target, signal: gone.signal }, connected },
      agent: fresh,
      method,
      path: url,
      headers: [...fields, 'Connection', 'Upgrade', 'Upgrade', token],
      setHost: false,
      maxHeaderSize: MAX_HEADER_BYTES,
    })
    upstream.maxHeadersCount = 0
    const watched = patience.watch(plan.responseTimeoutMs, () => {
      // A refusal that stands still, for whichever side: the service may be done, and only the client does not read.
      if (!record.unanswered) {
        record.code = 'IDLE'
        abort(socket)
      }
      fail(new Failure(504, 'RESPONSE_TIMEOUT', 'The service did not answer in time.'))
    })
    const settle = () => {
      watched.release()
      socket.off('close', left)
    }
    const fail = (thrown: unknown) => {
      settle()
      gone.abort()
      upstream.destroy()
      if (record.unanswered) reject(failureOf(thrown))
      else resolve()
    }
    const left = () => {
      record.code = 'CLIENT_LEFT'
      settle()
      gone.abort()
      upstream.destroy()
      resolve()
    }
    socket.once('close', left)
    upstream.on('error', fail)
    upstream.on('close', () => {
      if (record.unanswered)
        fail(new Failure(502, 'PEER_RESET', 'The service has closed the connection without an answer.'))
    })
    upstream.on('information', ({ statusCode }) => {
      if (statusCode === 101) fail(new Failure(502, 'BAD_ANSWER', 'The service has agreed to something else.'))
    })
    upstream.on('response', answer => {
      if (answer.statusCode === undefined || answer.statusCode < 200) {
        return fail(new Failure(502, 'BAD_ANSWER', 'The service has answered what was not asked.'))
      }
      socket.off('close', left)
      watched.moved(idleTimeoutMs)
      void passRefusal(request, socket, answer, plan, watched).then(() => {
        watched.release()
        resolve()
      })
    })
    upstream.on('upgrade', (answer, stream, behind) => {
      if (!agrees(answer, token)) {
        stream.destroy()
        return fail(new Failure(502, 'BAD_ANSWER', 'The service has agreed to something else.'))
      }
      settle()
      record.transition('upgraded')
      record.status = 101
      record.upgrade = token.toLowerCase()
      totals.upgraded++
      socket.write(acceptance(answerFields(answer.rawHeaders), token), 'latin1')
      tap?.fromStream(behind)
      tap?.fromSocket(head)
      if (behind.length > 0) socket.write(behind)
      if (head.length > 0) stream.write(head)
      const before = {
        in: socket.bytesRead - socket.readableLength - head.length,
        out: socket.bytesWritten - behind.length,
      }
      const idle = patience.watch(
        idleTimeoutMs,
        () => {
          record.code = 'IDLE'
          socket.destroy()
          stream.destroy()
        },
        () => socket.bytesRead + socket.bytesWritten,
      )
      void splice(socket, stream, 'the client', tap).then(() => {
        idle.release()
        totals.upgraded--
        record.bytesIn = socket.bytesRead - before.in
        record.bytesOut = socket.bytesWritten - before.out
        resolve()
      })
    })
    // It may have left while it was found out who it is.
    if (socket.destroyed) left()
    else upstream.end()
  })
}

/** RFC 9110, 7.8: the answer names the protocol that follows, and it is the one that was asked for. */
function agrees({ headers }: IncomingMessage, token: string): boolean {
  const options = (headers.connection ?? '').split(',').map(option => option.trim().toLowerCase())
  return options.includes('upgrade') && headers.upgrade?.trim().toLowerCase() === token.toLowerCase()
}

function acceptance(passedOn: readonly string[], token: string): string {
  const fields = [...passedOn, 'Connection', 'Upgrade', 'Upgrade', token]
  const lines: string[] = []
  for (let i = 0; i + 1 < fields.length; i += 2) lines.push(`${fields[i]}: ${fields[i + 1]}`)
  return `HTTP/1.1 101 Switching Protocols\r\n${lines.join('\r\n')}\r\n\r\n`
}

/** The service has said no in its own words. They are passed on, and both connections end: what is behind them was meant for another protocol. */
function passRefusal(
  request: IncomingMessage,
  socket: Socket,
  answer: IncomingMessage,
  plan: Plan,
  watched: Watched,
): Promise<void> {
  const { record, answerFields } = plan
  record.transition('answering')
  record.status = answer.statusCode ?? 0
  const response = new ServerResponse(request)
  response.shouldKeepAlive = false
  response.assignSocket(socket)
  return new Promise(resolve => {
    const cut = () => {
      record.code ??= 'PEER_RESET'
      answer.destroy()
      // Half an answer must not look whole: where it has no length, a mere end would be its end.
      abort(socket)
    }
    socket.once('close', () => {
      answer.destroy()
      resolve()
    })
    response.on('error', cut)
    response.on('finish', () => {
      response.detachSocket(socket)
      socket.destroySoon()
    })
    answer.on('error', cut)
    answer.on('aborted', cut)
    try {
      response.writeHead(record.status, answer.statusMessage, answerFields(answer.rawHeaders))
    } catch {
      return cut()
    }
    pass(answer, response, bytes => {
      watched.moved()
      record.bytesOut += bytes
    })
  })
}

function pass(from: IncomingMessage, to: ServerResponse, passed: (bytes: number) => void): void {
  from.on('data', (chunk: Buffer) => {
    passed(chunk.length)
    if (!to.write(chunk)) from.pause()
  })
  to.on('drain', () => from.resume())
  from.on('end', () => to.end())
}
