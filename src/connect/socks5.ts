/** SOCKS5 (RFC 1928) as far as it opens TCP connections to names, without authentication: the listener is on loopback. */
import type { ErrorCode, TunnelError } from '../errors.ts'
import { type Dialogue, DialogueError, type ProxyRequest } from './dialogue.ts'

export const SOCKS_VERSION = 5
const NO_AUTHENTICATION = 0
const NONE_ACCEPTABLE = 0xff
const CONNECT = 1
const AddressType = { IPV4: 1, NAME: 3, IPV6: 4 } as const

/** RFC 1928, section 6. */
const Reply = {
  SUCCEEDED: 0,
  FAILURE: 1,
  NOT_ALLOWED: 2,
  NETWORK_UNREACHABLE: 3,
  HOST_UNREACHABLE: 4,
  REFUSED: 5,
  TTL_EXPIRED: 6,
  COMMAND_NOT_SUPPORTED: 7,
  ADDRESS_NOT_SUPPORTED: 8,
} as const

const replies: Partial<Record<ErrorCode, number>> = {
  DENIED: Reply.NOT_ALLOWED,
  FORBIDDEN: Reply.NOT_ALLOWED,
  BAD_TARGET: Reply.HOST_UNREACHABLE,
  DNS: Reply.HOST_UNREACHABLE,
  UNREACHABLE: Reply.HOST_UNREACHABLE,
  REFUSED: Reply.REFUSED,
  DIAL_TIMEOUT: Reply.TTL_EXPIRED,
  AGENT_UNAVAILABLE: Reply.NETWORK_UNREACHABLE,
  GATEWAY_UNREACHABLE: Reply.NETWORK_UNREACHABLE,
}

export class Socks5 implements Dialogue {
  /** Bytes of the greeting, once it was answered. */
  #greeting: number | undefined

  read(input: Buffer, say: (bytes: Buffer) => void): ProxyRequest | undefined {
    if (this.#greeting === undefined) {
      const methods = input[1]
      if (methods === undefined || input.length < 2 + methods) return undefined
      if (!input.subarray(2, 2 + methods).includes(NO_AUTHENTICATION)) {
        throw new DialogueError('the client insists on a password', Buffer.from([SOCKS_VERSION, NONE_ACCEPTABLE]))
      }
      this.#greeting = 2 + methods
      say(Buffer.from([SOCKS_VERSION, NO_AUTHENTICATION]))
    }
    return readRequest(input.subarray(this.#greeting))
  }

  opened(): Buffer {
    return reply(Reply.SUCCEEDED)
  }

  failed({ code }: TunnelError): Buffer {
    return reply(replies[code] ?? Reply.FAILURE)
  }
}

/** RFC 1928, section 4. */
function readRequest(request: Buffer): ProxyRequest | undefined {
  const [version, command, , type, length = 0] = request
  if (type === undefined) return undefined
  if (version !== SOCKS_VERSION) throw new DialogueError('the request is not SOCKS5', reply(Reply.FAILURE))
  if (command !== CONNECT) throw new DialogueError('only CONNECT is supported', reply(Reply.COMMAND_NOT_SUPPORTED))
  if (type !== AddressType.NAME) {
    const why = 'the client asks for an address: let the proxy resolve names, as curl --socks5-hostname does'
    throw new DialogueError(why, reply(Reply.ADDRESS_NOT_SUPPORTED))
  }
  const end = 5 + length + 2
  if (request.length < 5 || request.length < end) return undefined
  return {
    host: request.toString('latin1', 5, 5 + length),
    port: request.readUInt16BE(5 + length),
    rest: request.subarray(end),
  }
}

/** RFC 1928, section 6. The address that was bound is of no use to anybody: zeros. */
const reply = (code: number): Buffer => Buffer.from([SOCKS_VERSION, code, 0, AddressType.IPV4, 0, 0, 0, 0, 0, 0])
