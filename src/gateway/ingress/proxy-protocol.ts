/**
 * The PROXY protocol, versions 1 and 2 (haproxy.org, proxy-protocol.txt): a load balancer in front says with the first
 * bytes of a connection who its client is.
 */
import { isIPv4, isIPv6 } from 'node:net'
import { TunnelError } from '../../errors.ts'
import { canonicalAddress } from '../../net/address.ts'

export interface ProxyHeader {
  /** Bytes of the header; those behind it are the client's. */
  readonly consumed: number
  /** Absent when the proxy speaks for itself (a health check), or of a client without an IP address. */
  readonly source?: {
    /** As `canonicalAddress` gives it. */
    readonly address: string
    readonly port: number
  }
}

const V1_PREFIX = Buffer.from('PROXY ')
/** With its CRLF (2.1). */
const V1_BYTES = 107
const V2_SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')
const V2_FIXED_BYTES = 16
/** Behind the fixed part: addresses and TLVs. The format allows 64 KiB; real ones have less than 1 KiB. */
const V2_REST_BYTES = 4 * 1024

/**
 * Looks at all bytes of a connection seen so far. `none`: this is no PROXY header. Addresses of UDP and of Unix sockets are
 * skipped as those of an unknown family, and so are TLVs.
 * @throws TunnelError PROTOCOL for a header that is malformed or too long
 */
export function parseProxyHeader(bytes: Buffer): 'more' | 'none' | ProxyHeader {
  if (beginsLike(bytes, V1_PREFIX)) return bytes.length < V1_PREFIX.length ? 'more' : parseV1(bytes)
  if (beginsLike(bytes, V2_SIGNATURE)) return bytes.length < V2_FIXED_BYTES ? 'more' : parseV2(bytes)
  return 'none'
}

function beginsLike(bytes: Buffer, start: Buffer): boolean {
  const common = Math.min(bytes.length, start.length)
  return bytes.subarray(0, common).equals(start.subarray(0, common))
}

function parseV1(bytes: Buffer): 'more' | ProxyHeader {
  const line = bytes.subarray(0, V1_BYTES)
  const end = line.indexOf('\r\n')
  if (end < 0 && line.length < V1_BYTES) return 'more'
  if (end < 0) throw malformed('its line does not end')
  const consumed = end + 2
  const [, family, source = '', destination = '', sourcePort = '', destinationPort = '', ...more] = line
    .toString('latin1', 0, end)
    .split(' ')
  if (family === 'UNKNOWN') return { consumed }
  const isAddress = family === 'TCP4' ? isIPv4 : family === 'TCP6' ? isIPv6WithoutZone : undefined
  if (isAddress === undefined) throw malformed('its family is none')
  if (!isAddress(source) || !isAddress(destination)) throw malformed('an address in it is none')
  if (!isPort(sourcePort) || !isPort(destinationPort) || more.length > 0) throw malformed('a port in it is none')
  return { consumed, source: { address: canonicalAddress(source), port: Number(sourcePort) } }
}

const isIPv6WithoutZone = (text: string): boolean => isIPv6(text) && !text.includes('%')
const isPort = (text: string): boolean => /^(0|[1-9][0-9]{0,4})$/.test(text) && Number(text) <= 65_535

function parseV2(bytes: Buffer): 'more' | ProxyHeader {
  const version = bytes.readUInt8(12) >> 4
  const command = bytes.readUInt8(12) & 0xf
  const family = bytes.readUInt8(13) >> 4
  const transport = bytes.readUInt8(13) & 0xf
  const length = bytes.readUInt16BE(14)
  if (version !== 2) throw malformed(`its version is ${version}`)
  if (command > 1) throw malformed(`its command is ${command}`)
  if (family > 3 || transport > 2) throw malformed('its family is none')
  if (length > V2_REST_BYTES) throw malformed(`it is over ${V2_REST_BYTES / 1024} KiB`)
  const consumed = V2_FIXED_BYTES + length
  if (bytes.length < consumed) return 'more'
  const isLocal = command === 0
  if (isLocal || transport !== 1 || family === 0 || family === 3) return { consumed }
  return { consumed, source: sourceIn(bytes.subarray(V2_FIXED_BYTES, consumed), family === 1 ? 4 : 16) }
}

/** Source and destination, then their ports (2.2). */
function sourceIn(rest: Buffer, addressBytes: 4 | 16): { address: string; port: number } {
  if (rest.length < 2 * addressBytes + 4) throw malformed('it is too short for its addresses')
  const address = rest.subarray(0, addressBytes)
  const port = rest.readUInt16BE(2 * addressBytes)
  if (addressBytes === 4) return { address: address.join('.'), port }
  const groups = Array.from({ length: 8 }, (_, index) => address.readUInt16BE(2 * index).toString(16))
  return { address: canonicalAddress(groups.join(':')), port }
}

function malformed(why: string): TunnelError {
  return new TunnelError('PROTOCOL', `the PROXY protocol header is malformed: ${why}`, {
    hint: 'check what the load balancer in front of the gateway sends',
  })
}
