/** ClientHellos of Node's own TLS client, and other ways to put the same message on the wire. */
import { Duplex } from 'node:stream'
import { type ConnectionOptions, connect } from 'node:tls'

const HEADER_BYTES = 5

/** The records with the whole ClientHello of a client that gets no answer. */
export function clientHello(options: ConnectionOptions): Promise<Buffer> {
  return new Promise(resolve => {
    let seen = Buffer.alloc(0)
    const wire = new Duplex({
      read: () => {},
      write: (chunk: Buffer, _encoding, done) => {
        seen = Buffer.concat([seen, chunk])
        done()
        if (payload(seen).length < 4 || payload(seen).length < 4 + payload(seen).readUIntBE(1, 3)) return
        wire.destroy()
        resolve(seen)
      },
    })
    connect({ ...options, socket: wire, rejectUnauthorized: false }).on('error', () => {})
  })
}

/** The handshake message in these records. */
export function payload(records: Buffer): Buffer {
  const parts: Buffer[] = []
  for (let at = 0; at + HEADER_BYTES <= records.length; ) {
    const end = at + HEADER_BYTES + records.readUInt16BE(at + 3)
    parts.push(records.subarray(at + HEADER_BYTES, end))
    at = end
  }
  return Buffer.concat(parts)
}

/** `message` in handshake records of at most `size` bytes each. */
export function inRecords(message: Buffer, size: number): Buffer {
  const parts: Buffer[] = []
  for (let at = 0; at < message.length; at += size) {
    const part = message.subarray(at, at + size)
    const header = Buffer.from([22, 3, 1, 0, 0])
    header.writeUInt16BE(part.length, 3)
    parts.push(header, part)
  }
  return Buffer.concat(parts)
}

/** So many protocols that the ClientHello has at least `bytes` bytes; the last of them is `http/1.1`. */
export const protocolsOf = (bytes: number): string[] => [
  ...Array.from({ length: Math.ceil(bytes / 201) }, (_, index) => String(index).padEnd(200, 'x')),
  'http/1.1',
]
