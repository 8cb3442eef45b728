/**
 * A name server for tests: UDP on a free port of loopback, answers from a table, and can be silent. It speaks just enough
 * of RFC 1035 for c-ares; names are compared without case and written without the trailing dot.
 */
import { createSocket, type RemoteInfo } from 'node:dgram'
import { once } from 'node:events'
import { isIPv4, isIPv6 } from 'node:net'

export interface SrvAnswer {
  readonly name: string
  readonly port: number
  readonly priority?: number
  readonly weight?: number
}

/** What one name has. A kind of record that is left out is "no data"; 'silent' never answers, 'servfail' fails. */
export type DnsRecord =
  | 'silent'
  | 'servfail'
  | {
      readonly a?: readonly string[] | 'silent' | 'servfail'
      readonly aaaa?: readonly string[] | 'silent' | 'servfail'
      readonly srv?: readonly SrvAnswer[] | 'silent' | 'servfail'
      readonly cname?: readonly { readonly alias: string }[] | 'silent' | 'servfail'
    }

export interface DnsServer {
  /** For `new Resolver({ servers: [address] })`. */
  readonly address: string
  /** Every question in order, as `A db.prod.svc.cluster.local`. */
  readonly queries: string[]
  close(): Promise<void>
}

/** @param records by name; a name that is not there does not exist. May be changed while the server runs. */
export async function startDnsServer(records: Record<string, DnsRecord>): Promise<DnsServer> {
  const queries: string[] = []
  const socket = createSocket('udp4')
  socket.on('message', (query, from) => answer(query, from))
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')

  function answer(query: Buffer, from: RemoteInfo) {
    const { name, type, end } = readQuestion(query)
    const kind = kinds[type]
    queries.push(`${kind?.toUpperCase() ?? type} ${name}`)
    const record = records[name]
    const found = typeof record === 'object' ? ((kind && record[kind]) ?? []) : record
    if (found === 'silent') return
    const rcode = found === undefined ? nxdomain : found === 'servfail' ? servfail : 0
    const data = typeof found === 'object' ? found.map(one => encode(one)) : []
    socket.send(response(query, end, type, rcode, data), from.port, from.address)
  }

  return {
    address: `127.0.0.1:${socket.address().port}`,
    queries,
    close: async () => {
      socket.close()
      await once(socket, 'close')
    },
  }
}

const kinds: Readonly<Record<number, 'a' | 'aaaa' | 'srv' | 'cname'>> = { 1: 'a', 5: 'cname', 28: 'aaaa', 33: 'srv' }
const servfail = 2
const nxdomain = 3

function readQuestion(query: Buffer): { name: string; type: number; end: number } {
  const labels: string[] = []
  let at = 12
  for (let length = query.readUInt8(at); length > 0; length = query.readUInt8(at)) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length))
    at += 1 + length
  }
  return { name: labels.join('.').toLowerCase(), type: query.readUInt16BE(at + 1), end: at + 5 }
}

/** The header and the question of the query come back; each answer points at the name in the question (offset 12). */
function response(query: Buffer, end: number, type: number, rcode: number, data: readonly Buffer[]): Buffer {
  const head = Buffer.from(query.subarray(0, end))
  head.writeUInt16BE(0x8580 | rcode, 2) // response, authoritative, recursion both ways
  head.writeUInt16BE(1, 4)
  head.writeUInt16BE(data.length, 6)
  head.writeUInt32BE(0, 8)
  const answers = data.map(rdata => {
    const fixed = Buffer.alloc(12)
    fixed.writeUInt16BE(0xc00c, 0)
    fixed.writeUInt16BE(type, 2)
    fixed.writeUInt16BE(1, 4)
    fixed.writeUInt16BE(rdata.length, 10)
    return Buffer.concat([fixed, rdata])
  })
  return Buffer.concat([head, ...answers])
}

function encode(data: string | SrvAnswer | { readonly alias: string }): Buffer {
  if (typeof data !== 'string' && 'alias' in data) return encodeName(data.alias)
  if (typeof data !== 'string') {
    const fixed = Buffer.alloc(6)
    fixed.writeUInt16BE(data.priority ?? 0, 0)
    fixed.writeUInt16BE(data.weight ?? 0, 2)
    fixed.writeUInt16BE(data.port, 4)
    return Buffer.concat([fixed, encodeName(data.name)])
  }
  if (isIPv4(data)) return Buffer.from(data.split('.').map(Number))
  if (isIPv6(data)) return encodeIPv6(data)
  throw new Error(`not an address: ${data}`)
}

function encodeName(name: string): Buffer {
  const labels = name.split('.').filter(label => label !== '')
  return Buffer.concat([
    ...labels.map(label => Buffer.from(`${String.fromCharCode(label.length)}${label}`, 'latin1')),
    Buffer.alloc(1),
  ])
}

function encodeIPv6(address: string): Buffer {
  const [head = '', tail] = address.split('::')
  const groups = (text = '') => text.split(':').filter(group => group !== '')
  const left = groups(head)
  const right = groups(tail)
  const zeros = Array<string>(8 - left.length - right.length).fill('0')
  return Buffer.from([...left, ...zeros, ...right].map(group => group.padStart(4, '0')).join(''), 'hex')
}
