/**
 * Whole messages as plain values and back, through every encoder and decoder of src/wire: what the golden vectors of
 * docs/protocol.md are written in, and what the property tests compare.
 */
import { BatchBuilder } from '../../src/wire/batch.ts'
import {
  decodeCredit,
  decodeOpen,
  decodeOpened,
  decodeReset,
  encodeCredit,
  encodeOpen,
  encodeOpened,
  encodeReset,
  FrameType,
  walkFrames,
} from '../../src/wire/frame.ts'
import {
  checkHeader,
  decodeAck,
  decodeAttachment,
  decodeBatchHeader,
  decodeDetach,
  decodeJson,
  decodePing,
  encodeAck,
  encodeAttachment,
  encodeDetach,
  encodeJson,
  encodePing,
  Kind,
  kindOf,
  routeOf,
  violation,
} from '../../src/wire/message.ts'

type Json = Record<string, unknown>

export type PlainFrame =
  | { type: 'OPEN'; stream: number; verdict: number; limit: number; json: Json }
  | { type: 'OPENED'; stream: number; limit: number; port: number }
  | { type: 'DATA'; stream: number; data: string }
  | { type: 'FIN'; stream: number }
  | { type: 'RESET'; stream: number; code: number; reason: string }
  | { type: 'CREDIT'; stream: number; limit: number }

export type PlainMessage =
  | { kind: 'HELLO' | 'WELCOME' | 'DRAIN' | 'CATALOGUE'; route: number; json: Json }
  | { kind: 'ATTACH' | 'ATTACHED'; route: number; epoch: number; sessionId: string; expected: number; json: Json }
  | { kind: 'DETACH'; route: number; final: boolean; code: number; retryMs: number; reason: string }
  | { kind: 'BATCH'; route: number; seq: number; ack: number; frames: PlainFrame[] }
  | { kind: 'ACK'; route: number; ack: number }
  | { kind: 'PING' | 'PONG'; route: number; nonce: number }

/** Reads all of `message`, as the two ends together would. @throws TunnelError PROTOCOL */
export function toPlain(message: Buffer): PlainMessage {
  checkHeader(message)
  const route = routeOf(message)
  const kind = nameOf(Kind, kindOf(message))
  switch (kind) {
    case 'HELLO':
    case 'WELCOME':
    case 'DRAIN':
    case 'CATALOGUE':
      return { kind, route, json: decodeJson(message) }
    case 'ATTACH':
    case 'ATTACHED': {
      const { epoch, sessionId, expected, json } = decodeAttachment(message)
      return { kind, route, epoch, sessionId: sessionId.toString('hex'), expected, json }
    }
    case 'DETACH':
      return { kind, route, ...decodeDetach(message) }
    case 'BATCH':
      return { kind, route, ...decodeBatchHeader(message), frames: framesOf(message) }
    case 'ACK':
      return { kind, route, ack: decodeAck(message) }
    case 'PING':
    case 'PONG':
      return { kind, route, nonce: decodePing(message) }
    default:
      throw violation(`message kind ${kindOf(message)}`)
  }
}

export function framesOf(batch: Buffer): PlainFrame[] {
  const frames: PlainFrame[] = []
  walkFrames(batch, (type, stream, start, end) => {
    frames.push(frameOf(batch, type, stream, start, end))
  })
  return frames
}

function frameOf(batch: Buffer, type: number, stream: number, start: number, end: number): PlainFrame {
  switch (type) {
    case FrameType.OPEN:
      return { type: 'OPEN', stream, ...decodeOpen(batch, start, end) }
    case FrameType.OPENED:
      return { type: 'OPENED', stream, ...decodeOpened(batch, start) }
    case FrameType.DATA:
      return { type: 'DATA', stream, data: batch.toString('hex', start, end) }
    case FrameType.FIN:
      return { type: 'FIN', stream }
    case FrameType.RESET:
      return { type: 'RESET', stream, ...decodeReset(batch, start, end) }
    case FrameType.CREDIT:
      return { type: 'CREDIT', stream, limit: decodeCredit(batch, start) }
    default:
      throw new Error(`walkFrames let frame type ${type} pass`)
  }
}

export function fromPlain(plain: PlainMessage): Buffer {
  switch (plain.kind) {
    case 'HELLO':
    case 'WELCOME':
    case 'DRAIN':
    case 'CATALOGUE':
      return encodeJson(Kind[plain.kind], plain.json)
    case 'ATTACH':
    case 'ATTACHED': {
      const { kind, route, sessionId, ...rest } = plain
      return encodeAttachment(Kind[kind], route, { ...rest, sessionId: Buffer.from(sessionId, 'hex') })
    }
    case 'DETACH':
      return encodeDetach(plain.route, plain)
    case 'BATCH':
      return batchOf(plain.route, plain.seq, plain.ack, plain.frames)
    case 'ACK':
      return encodeAck(plain.route, plain.ack)
    case 'PING':
    case 'PONG':
      return encodePing(Kind[plain.kind], plain.route, plain.nonce)
  }
}

function batchOf(route: number, seq: number, ack: number, frames: readonly PlainFrame[]): Buffer {
  const builder = new BatchBuilder()
  for (const frame of frames) builder.add(FrameType[frame.type], frame.stream, payloadOf(frame))
  return builder.encode(route, seq, ack)
}

export function payloadOf(frame: PlainFrame): Buffer | null {
  switch (frame.type) {
    case 'OPEN': {
      const payload = encodeOpen(frame.limit, frame.json)
      // As the gateway stamps it.
      payload[0] = frame.verdict
      return payload
    }
    case 'OPENED':
      return encodeOpened(frame.limit, frame.port)
    case 'DATA':
      return Buffer.from(frame.data, 'hex')
    case 'FIN':
      return null
    case 'RESET':
      return encodeReset(frame.code, frame.reason)
    case 'CREDIT':
      return encodeCredit(frame.limit)
  }
}

function nameOf<Name extends string>(table: Readonly<Record<Name, number>>, value: number): Name | undefined {
  return (Object.keys(table) as Name[]).find(name => table[name] === value)
}
