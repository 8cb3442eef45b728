/** Finds the name that a TLS client asks for (SNI) in the first bytes of its connection, without taking part in TLS. */
import { isIP } from 'node:net'
import { isLabel } from '../../net/target.ts'

/** More than OpenSSL takes of any real client; with post-quantum key shares a ClientHello has a few KiB. */
export const CLIENT_HELLO_BYTES = 64 * 1024

/** RFC 8446, 5.1 */
const RECORD_HEADER_BYTES = 5
const RECORD_BYTES = 2 ** 14
const HANDSHAKE_RECORD = 22
/** RFC 8446, 4 */
const MESSAGE_HEADER_BYTES = 4
const CLIENT_HELLO = 1
/** RFC 8446, 4.1.2: legacy_version and random */
const FIXED_BYTES = 2 + 32
/** RFC 6066, 3 */
const SERVER_NAME = 0
const HOST_NAME = 0
const NAME_BYTES = 253

export interface ClientHello {
  /**
   * Lower case, LDH labels only. Undefined when the client names nobody, or what RFC 6066 does not allow as a name: an IP
   * address, a name with a dot at the end.
   */
  readonly name: string | undefined
}

/**
 * Looks at all bytes of a connection seen so far, at most CLIENT_HELLO_BYTES of them. The ClientHello may lie in any number
 * of records (RFC 8446, 5.1). Never throws. `not tls` is also the answer for a ClientHello that is malformed or too long:
 * who speaks TLS refuses it with the right alert.
 */
export function serverName(bytes: Buffer): 'more' | 'not tls' | ClientHello {
  const seen = bytes.subarray(0, CLIENT_HELLO_BYTES)
  const length = messageLength(seen)
  if (typeof length === 'string') return length === 'more' && bytes.length >= CLIENT_HELLO_BYTES ? 'not tls' : length
  return nameIn(message(seen, length)) ?? 'not tls'
}

/**
 * The length of the ClientHello with its header, once it is there as a whole. It is asked again after every segment, which
 * may be a byte: so nothing is allocated here.
 */
function messageLength(bytes: Buffer): number | 'more' | 'not tls' {
  let have = 0
  let needed = MESSAGE_HEADER_BYTES
  for (let at = 0; at < bytes.length; ) {
    const fragment = fragmentLength(bytes, at)
    if (typeof fragment === 'string') return fragment
    at += RECORD_HEADER_BYTES
    for (let index = 0; index < fragment && at + index < bytes.length && have + index < MESSAGE_HEADER_BYTES; index++) {
      const byte = bytes.readUInt8(at + index)
      if (have + index === 0 && byte !== CLIENT_HELLO) return 'not tls'
      // A length of 24 bits behind the type.
      if (have + index > 0) needed += byte * 2 ** (8 * (MESSAGE_HEADER_BYTES - 1 - have - index))
    }
    if (needed > CLIENT_HELLO_BYTES) return 'not tls'
    have += Math.min(fragment, bytes.length - at)
    if (have >= needed) return needed
    at += fragment
  }
  return 'more'
}

/** Of the record at `at`; a header that begins wrong is refused before the rest of it is there. */
function fragmentLength(bytes: Buffer, at: number): number | 'more' | 'not tls' {
  if (bytes[at] !== HANDSHAKE_RECORD) return 'not tls'
  if (at + 1 < bytes.length && bytes[at + 1] !== 3) return 'not tls'
  if (at + RECORD_HEADER_BYTES > bytes.length) return 'more'
  const length = bytes.readUInt16BE(at + 3)
  return length >= 1 && length <= RECORD_BYTES ? length : 'not tls'
}

/** The first `length` bytes of the handshake, without its header. They are known to be there. */
function message(bytes: Buffer, length: number): Buffer {
  const whole = Buffer.alloc(length)
  for (let at = 0, have = 0; have < length; ) {
    const end = at + RECORD_HEADER_BYTES + bytes.readUInt16BE(at + 3)
    have += bytes.copy(whole, have, at + RECORD_HEADER_BYTES, end)
    at = end
  }
  return whole.subarray(MESSAGE_HEADER_BYTES)
}

/** Undefined when it is malformed. */
function nameIn(hello: Buffer): ClientHello | undefined {
  const body = new Vectors(hello)
  const fixed = body.opaque(FIXED_BYTES)
  const session = body.vector(1)
  const suites = body.vector(2)
  const compression = body.vector(1)
  if (fixed === undefined || session === undefined || session.length > 32) return undefined
  if (suites === undefined || suites.length < 2 || suites.length % 2 !== 0) return undefined
  if (compression === undefined || compression.length < 1) return undefined
  // TLS 1.2 may leave the extensions out.
  if (body.atEnd) return { name: undefined }
  const extensions = body.vector(2)
  if (extensions === undefined || !body.atEnd) return undefined
  let found: Buffer | undefined
  for (const each = new Vectors(extensions); !each.atEnd; ) {
    const type = each.uint(2)
    const data = each.vector(2)
    if (data === undefined) return undefined
    if (type !== SERVER_NAME) continue
    if (found !== undefined) return undefined
    found = data
  }
  return found === undefined ? { name: undefined } : hostName(found)
}

/** A list of one host name: no other type was ever defined, and a second of this one is not allowed (RFC 6066, 3). */
function hostName(extension: Buffer): ClientHello | undefined {
  const outer = new Vectors(extension)
  const list = outer.vector(2)
  if (list === undefined || !outer.atEnd) return undefined
  const entry = new Vectors(list)
  const type = entry.uint(1)
  const host = entry.vector(2)
  if (type !== HOST_NAME || host === undefined || host.length < 1 || !entry.atEnd) return undefined
  const name = host.toString('latin1').toLowerCase()
  return { name: isHostName(name) ? name : undefined }
}

const isHostName = (name: string): boolean =>
  name.length <= NAME_BYTES && isIP(name) === 0 && name.split('.').every(isLabel)

/** Reads vectors (RFC 8446, 3.4) one behind the other. What does not fit is undefined, and so is all that follows. */
class Vectors {
  #rest: Buffer | undefined

  constructor(bytes: Buffer) {
    this.#rest = bytes
  }

  get atEnd(): boolean {
    return this.#rest?.length === 0
  }

  opaque(bytes: number): Buffer | undefined {
    const rest = this.#rest
    const fits = rest !== undefined && rest.length >= bytes
    this.#rest = fits ? rest.subarray(bytes) : undefined
    return fits ? rest.subarray(0, bytes) : undefined
  }

  uint(bytes: 1 | 2): number | undefined {
    return this.opaque(bytes)?.readUIntBE(0, bytes)
  }

  vector(lengthBytes: 1 | 2): Buffer | undefined {
    const length = this.uint(lengthBytes)
    return length === undefined ? undefined : this.opaque(length)
  }
}
