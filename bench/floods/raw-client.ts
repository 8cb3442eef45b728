/** A client of the gateway that writes what it likes: a handshake, frames and messages by hand. */
import { randomBytes } from 'node:crypto'
import { connect, type Socket } from 'node:net'
import { writeFrameHeader } from '../../src/carrier/frame-writer.ts'
import { FrameReader, Opcode } from '../../src/carrier/framing.ts'
import { encodeAttachment, encodeJson, Kind, kindOf, SESSION_ID_BYTES, SUBPROTOCOL } from '../../src/wire/message.ts'

const ZERO_MASK = Buffer.alloc(4)
export const ROUTE = 1

/** A whole WebSocket frame of a client. */
export function frameOf(opcode: number, payload: Buffer): Buffer {
  const bytes = payload.length
  const header = Buffer.alloc(6 + (bytes < 126 ? 0 : bytes < 65_536 ? 2 : 8))
  writeFrameHeader(header, opcode, bytes, ZERO_MASK)
  return Buffer.concat([header, payload])
}

export const messageOf = (message: Buffer): Buffer => frameOf(Opcode.BINARY, message)

/** The upgrade, to its last line. */
export const handshake = (port: number, token: string): string =>
  [
    'GET /v1/connect HTTP/1.1',
    `Host: 127.0.0.1:${port}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
    `Sec-WebSocket-Protocol: ${SUBPROTOCOL}`,
    `Authorization: Bearer ${token}`,
    '\r\n',
  ].join('\r\n')

/** Resolves with a socket that has been greeted and has a live session of agent `bench` at ROUTE. Rejects when it is refused. */
export async function attached(port: number, token: string): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  socket.on('error', () => {})
  socket.write(handshake(port, token))
  socket.write(messageOf(encodeJson(Kind.HELLO, { role: 'connect', software: 'flood' })))
  await new Promise<void>((resolve, reject) => {
    let upgraded = false
    const reader = new FrameReader(false, {
      message: first => {
        if (kindOf(first) === Kind.WELCOME) socket.write(messageOf(attachOf()))
        if (kindOf(first) === Kind.ATTACHED) resolve()
      },
      control: () => {},
    })
    socket.on('data', (chunk: Buffer) => {
      const head = upgraded ? 0 : chunk.indexOf('\r\n\r\n') + 4
      if (!upgraded && !chunk.toString('latin1').startsWith('HTTP/1.1 101')) return void socket.destroy()
      upgraded = true
      if (chunk.length > head) reader.read(chunk.subarray(head))
    })
    socket.once('close', () => reject(new Error('refused')))
  })
  socket.removeAllListeners('data').on('data', () => {})
  return socket
}

const attachOf = (): Buffer =>
  encodeAttachment(Kind.ATTACH, ROUTE, {
    epoch: 1,
    sessionId: randomBytes(SESSION_ID_BYTES),
    expected: 0,
    json: { agent: 'bench', key: randomBytes(32).toString('base64url'), maxInflight: 8 * 1024 * 1024 },
  })
