/** HTTP CONNECT (RFC 9110, 9.3.6), as browsers and curl ask a proxy for a tunnel. */
import type { ErrorCode, TunnelError } from '../errors.ts'
import { escapeText } from '../observe/escape.ts'
import { type Dialogue, DialogueError, type ProxyRequest } from './dialogue.ts'

const END_OF_HEAD = '\r\n\r\n'

const statuses: Partial<Record<ErrorCode, string>> = {
  DENIED: '403 Forbidden',
  FORBIDDEN: '403 Forbidden',
  BAD_TARGET: '400 Bad Request',
  DIAL_TIMEOUT: '504 Gateway Timeout',
  LIMIT: '503 Service Unavailable',
  AGENT_UNAVAILABLE: '503 Service Unavailable',
}

export class HttpConnect implements Dialogue {
  read(input: Buffer): ProxyRequest | undefined {
    const end = input.indexOf(END_OF_HEAD)
    if (end < 0) return undefined
    const [line = ''] = input.toString('latin1', 0, end).split('\r\n')
    const [, method, authority, version] = /^([A-Z]+) ([\x21-\x7e]+) (HTTP\/1\.[01])$/.exec(line) ?? []
    if (version === undefined) throw refusal('400 Bad Request', 'this is neither SOCKS5 nor an HTTP request')
    if (method !== 'CONNECT') {
      throw refusal(
        '405 Method Not Allowed',
        'this proxy opens tunnels only: use CONNECT, or SOCKS5',
        'Allow: CONNECT\r\n',
      )
    }
    const [, host, port] = /^([^:]+):([0-9]{1,5})$/.exec(authority ?? '') ?? []
    if (host === undefined) throw refusal('400 Bad Request', 'CONNECT needs a name and a port')
    return { host, port: Number(port), rest: input.subarray(end + END_OF_HEAD.length) }
  }

  opened(): Buffer {
    return Buffer.from('HTTP/1.1 200 Connection Established\r\n\r\n')
  }

  failed({ code, message, hint }: TunnelError): Buffer {
    return answer(statuses[code] ?? '502 Bad Gateway', `${code}: ${escapeText(message, 600)}\n${hint}`)
  }
}

const refusal = (status: string, why: string, headers = ''): DialogueError =>
  new DialogueError(why, answer(status, why, headers))

function answer(status: string, text: string, headers = ''): Buffer {
  const body = `${text}\n`
  const length = Buffer.byteLength(body)
  return Buffer.from(
    `HTTP/1.1 ${status}\r\n${headers}Content-Type: text/plain; charset=utf-8\r\nContent-Length: ${length}\r\nConnection: close\r\n\r\n${body}`,
  )
}
