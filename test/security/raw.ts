/** An end of a carrier that is spoken by hand: the handshake, the frames of WebSocket and the messages are the test's. */
import { connect, type Socket } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { closePayload, Opcode } from '../../src/carrier/framing.ts'
import { encodeJson, HOP_ROUTE, Kind, kindOf, routeOf, SUBPROTOCOL } from '../../src/wire/message.ts'
import { encodeFrame, type FrameSpec, WireReader } from '../fuzz/wire.ts'
import { within } from '../support/sockets.ts'

export type Role = 'connect' | 'agent'

export interface Handshake {
  readonly path: string
  /** Absent: no Authorization. */
  readonly token?: string
  /** Absent: the one that the gateway speaks. */
  readonly protocol?: string
  readonly fields?: readonly string[]
}

/** The head of a request to upgrade, byte by byte as it is sent. */
export function handshake({ path, token, protocol = SUBPROTOCOL, fields = [] }: Handshake): string {
  return [
    `GET ${path} HTTP/1.1`,
    'Host: gateway',
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
    `Sec-WebSocket-Protocol: ${protocol}`,
    ...(token === undefined ? [] : [`Authorization: Bearer ${token}`]),
    ...fields,
    '\r\n',
  ].join('\r\n')
}

/** How the other side has ended the carrier; 1006 when it did so without a word. */
export interface End {
  readonly code: number
  readonly reason: string
}

const ABNORMAL = 1006
const KIND_AT = 4
const ZERO_MASK = Buffer.alloc(4)

/** A frame as a client sends it, with a mask that changes nothing. */
export const frame = (payload: Buffer | string, spec: FrameSpec = {}): Buffer =>
  encodeFrame(Buffer.from(payload as string), { mask: ZERO_MASK, ...spec })

export class RawPeer {
  readonly socket: Socket
  readonly ended: Promise<End>
  readonly pongs: Buffer[] = []
  /** The first lines of the answer. */
  head = ''
  /** Those that nobody has asked for yet. */
  readonly #messages: Buffer[] = []
  readonly #wake = new Set<() => void>()
  readonly #waiting: Buffer[] = []
  #trickling = false
  #end: End | undefined

  private constructor(port: number) {
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true })
    const reader = new WireReader({
      head: text => {
        this.head = text
        return text.startsWith('HTTP/1.1 101 ')
      },
      message: bytes => this.#message(bytes),
      control: (opcode, payload) => this.#control(opcode, payload),
    })
    this.socket.on('error', () => {})
    this.socket.on('data', chunk => {
      reader.read(chunk)
      this.#look()
    })
    this.ended = new Promise(resolve => {
      this.socket.on('close', () => {
        this.#end ??= { code: ABNORMAL, reason: '' }
        resolve(this.#end)
        this.#look()
      })
    })
  }

  /** Resolves when the answer to the handshake is there, whatever it is. */
  static async dial(port: number, asked: Handshake): Promise<RawPeer> {
    const peer = new RawPeer(port)
    peer.socket.write(handshake(asked))
    await peer.#until('answer to the handshake', () => (peer.head === '' && peer.#end === undefined ? undefined : true))
    return peer
  }

  /** Says HELLO, and has been welcomed. */
  static async greet(port: number, role: Role, token: string): Promise<RawPeer> {
    const peer = await RawPeer.dial(port, { path: `/v1/${role}`, token })
    peer.send(hello(role))
    await peer.next(Kind.WELCOME)
    return peer
  }

  get status(): number {
    return Number(this.head.slice(9, 12))
  }

  /** One message, in one frame. */
  send(...messages: Buffer[]): void {
    this.write(Buffer.concat(messages.map(message => frame(message))))
  }

  /** Bytes as they are. */
  write(bytes: Buffer | string): void {
    if (this.#trickling) this.#waiting.push(Buffer.from(bytes as string))
    else if (!this.socket.destroyed) this.socket.write(bytes)
  }

  /** Bytes one by one, each for itself. What else there is to say waits, for it would come in the middle of a frame. */
  async trickle(bytes: Buffer): Promise<void> {
    this.#trickling = true
    for (const byte of bytes) {
      this.socket.write(Buffer.from([byte]))
      await turn()
    }
    this.#trickling = false
    for (const each of this.#waiting.splice(0)) this.write(each)
  }

  /** The next message of this kind; those before it are passed over. */
  next(kind: number): Promise<Buffer> {
    return this.find(`message of kind ${kind}`, message => kindOf(message) === kind)
  }

  /** The next message that `matches`; those before it are passed over. */
  find(what: string, matches: (message: Buffer) => boolean): Promise<Buffer> {
    return this.#until(what, () => {
      for (let message = this.#messages.shift(); message !== undefined; message = this.#messages.shift()) {
        if (matches(message)) return message
      }
      if (this.#end === undefined) return undefined
      throw new Error(`no ${what}: the carrier was ended with ${this.#end.code} ${this.#end.reason}`)
    })
  }

  /** Resolves when everything that was sent before has been looked at by the other side. */
  async settled(): Promise<void> {
    const before = this.pongs.length
    this.write(frame('', { opcode: Opcode.PING }))
    await this.#until('pong', () => (this.pongs.length > before || this.#end !== undefined ? true : undefined))
  }

  /** The code with which the other side has closed. */
  async code(): Promise<number> {
    return (await within(this.ended, 'end of the carrier')).code
  }

  leave(): void {
    this.socket.destroy()
  }

  /** Whoever asks whether this end still answers is answered, or would soon look for another way to it. */
  #message(bytes: Buffer): void {
    this.#messages.push(bytes)
    if (kindOf(bytes) !== Kind.PING || routeOf(bytes) === HOP_ROUTE) return
    const pong = Buffer.from(bytes)
    pong[KIND_AT] = Kind.PONG
    this.send(pong)
  }

  #control(opcode: number, payload: Buffer): void {
    if (opcode === Opcode.PONG) this.pongs.push(payload)
    if (opcode === Opcode.PING) this.write(frame(payload, { opcode: Opcode.PONG }))
    if (opcode !== Opcode.CLOSE) return
    const code = payload.length < 2 ? ABNORMAL : payload.readUInt16BE(0)
    this.#end = { code, reason: payload.toString('utf8', 2) }
    this.socket.end(frame(closePayload(code, ''), { opcode: Opcode.CLOSE }))
  }

  #look(): void {
    for (const wake of [...this.#wake]) wake()
  }

  async #until<T>(what: string, look: () => T | undefined): Promise<T> {
    let wake = () => {}
    const found = new Promise<T>((resolve, reject) => {
      wake = () => {
        try {
          const value = look()
          if (value !== undefined) resolve(value)
        } catch (thrown) {
          reject(thrown)
        }
      }
    })
    this.#wake.add(wake)
    wake()
    try {
      return await within(found, what)
    } finally {
      this.#wake.delete(wake)
    }
  }
}

export const hello = (role: Role, more: object = {}): Buffer =>
  encodeJson(Kind.HELLO, { role, software: 'by hand', ...more })
