/** A session that is spoken by hand over a raw carrier, from either end. */
import { randomBytes } from 'node:crypto'
import { resumeProof } from '../../src/mux/proof.ts'
import { decodeReset, encodeOpen, FrameType, walkFrames } from '../../src/wire/frame.ts'
import {
  decodeBatchHeader,
  decodeDetach,
  encodeAck,
  encodeAttachment,
  encodeDetach,
  Kind,
  kindOf,
  routeOf,
  writeHeader,
} from '../../src/wire/message.ts'
import type { RawPeer } from './raw.ts'

/** A message with this body, whatever that means. */
export function message(kind: number, route: number, body: Buffer = Buffer.alloc(0)): Buffer {
  const whole = Buffer.concat([Buffer.alloc(6), body])
  writeHeader(whole, route, kind, 0)
  return whole
}

/** A frame of a batch, whatever it says. */
export function unit(type: number, stream: number, payload: Buffer | string = ''): Buffer {
  const body = Buffer.from(payload as string)
  const head = Buffer.alloc(8)
  head[0] = type
  head.writeUInt32BE(stream, 1)
  head.writeUIntBE(body.length, 5, 3)
  return Buffer.concat([head, body])
}

export function numbered(seq: number, ack: number, ...units: Buffer[]): Buffer {
  const head = Buffer.alloc(12)
  head.writeUIntBE(seq, 0, 6)
  head.writeUIntBE(ack, 6, 6)
  return Buffer.concat([head, ...units])
}

export const target = (service: string, namespace = 'prod', port: number | string = 7, protocol = 'tcp'): object => ({
  service,
  namespace,
  port,
  protocol,
})

/** OPEN with a window of 256 KiB. */
export const open = (stream: number, json: object, limit = 256 * 1024): Buffer =>
  unit(FrameType.OPEN, stream, encodeOpen(limit, json))

export const data = (stream: number, bytes: Buffer | string): Buffer => unit(FrameType.DATA, stream, bytes)
export const fin = (stream: number): Buffer => unit(FrameType.FIN, stream)

export interface Told {
  readonly type: number
  readonly stream: number
  readonly payload: Buffer
}

export interface Refusal {
  readonly code: number
  readonly final: boolean
}

interface Identity {
  readonly route?: number
  readonly id?: Buffer
  readonly key?: Buffer
}

export class RawSession {
  readonly id: Buffer
  readonly key: Buffer
  readonly route: number
  peer: RawPeer
  epoch = 0
  /** Of the next batch that goes out. */
  seq = 0
  /** Of the next batch that comes. */
  expected = 0
  /** What has come and was not asked for yet. */
  #told: Told[] = []

  constructor(peer: RawPeer, { route = 7, id = randomBytes(16), key = randomBytes(32) }: Identity = {}) {
    this.peer = peer
    this.route = route
    this.id = id
    this.key = key
  }

  /** One that the agent has taken. */
  static async create(peer: RawPeer, route = 7, agent = 'home'): Promise<RawSession> {
    const session = new RawSession(peer, { route })
    peer.send(session.attach({ agent, key: session.key.toString('base64url') }))
    await peer.next(Kind.ATTACHED)
    return session
  }

  attach(json: object, epoch = ++this.epoch, expected = this.expected): Buffer {
    const attachment = { epoch, sessionId: this.id, expected }
    const all = { agent: 'home', maxInflight: 8 * 1024 * 1024, ...json }
    return encodeAttachment(Kind.ATTACH, this.route, { ...attachment, json: all })
  }

  /** An ATTACH that resumes, with the proof for its epoch. */
  resume(epoch = ++this.epoch, expected = this.expected): Buffer {
    return this.attach({ proof: resumeProof(this.key, this.id, epoch).toString('base64url') }, epoch, expected)
  }

  /** A batch with the next number. */
  batch(...units: Buffer[]): Buffer {
    return message(Kind.BATCH, this.route, numbered(this.seq++, this.expected, ...units))
  }

  send(...units: Buffer[]): void {
    this.peer.send(this.batch(...units))
  }

  /** The next frame of this type that the other end sends; those before it are passed over. */
  async next(type: number): Promise<Told> {
    for (;;) {
      const told = this.#told.shift()
      if (told?.type === type) return told
      if (told === undefined) await this.#batch()
    }
  }

  /** So many bytes of this stream, in the order in which they come; every other frame is passed over. */
  async read(stream: number, bytes: number): Promise<Buffer> {
    const parts: Buffer[] = []
    for (let left = bytes; left > 0; ) {
      const { stream: of, payload } = await this.next(FrameType.DATA)
      if (of !== stream) continue
      parts.push(payload)
      left -= payload.length
    }
    return Buffer.concat(parts)
  }

  /** How the other end, or the gateway, has ended the route. */
  async detached(): Promise<Refusal> {
    const told = await this.peer.find('DETACH', each => kindOf(each) === Kind.DETACH && routeOf(each) === this.route)
    const { code, final } = decodeDetach(told)
    return { code, final }
  }

  /** The code with which the other end resets the next stream that it resets. */
  async reset(): Promise<number> {
    const { payload } = await this.next(FrameType.RESET)
    return decodeReset(payload, 0, payload.length).code
  }

  /** Ends the session in order, so that nobody keeps it. */
  leave(): void {
    this.peer.send(encodeDetach(this.route, { final: true, code: 14, retryMs: 0, reason: 'done' }))
  }

  async #batch(): Promise<void> {
    const batch = await this.peer.find('BATCH', each => kindOf(each) === Kind.BATCH && routeOf(each) === this.route)
    this.expected = decodeBatchHeader(batch).seq + 1
    this.peer.send(encodeAck(this.route, this.expected))
    walkFrames(batch, (type, stream, start, end) => {
      this.#told.push({ type, stream, payload: Buffer.from(batch.subarray(start, end)) })
    })
  }
}
