/** Frames of a WebSocket as bytes, written from RFC 6455, 5.2, and not from what reads them. */
import { Opcode } from '../../../src/carrier/framing.ts'
import type { Frame, Side } from '../../../src/gateway/ingress/frame.ts'

export interface Shape {
  readonly opcode: number
  readonly payload?: Buffer
  /** `true` unless said. */
  readonly fin?: boolean
  /** RSV1 to RSV3 as they stand in the first byte: 0x40, 0x20, 0x10. */
  readonly reserved?: number
  readonly key?: Buffer | undefined
}

export function encode({ opcode, payload = Buffer.alloc(0), fin = true, reserved = 0, key }: Shape): Buffer {
  const mask = key ?? Buffer.alloc(4)
  const masked = payload.map((byte, index) => byte ^ (mask[index % 4] ?? 0))
  return Buffer.concat([headerOf(opcode, BigInt(payload.length), { fin, reserved, key }), masked])
}

export function headerOf(
  opcode: number,
  length: bigint,
  { fin = true, reserved = 0, key }: Omit<Shape, 'opcode' | 'payload'> = {},
): Buffer {
  const maskBit = key === undefined ? 0 : 0x80
  const [short, extended] = length < 126n ? [Number(length), 0] : length < 65_536n ? [126, 2] : [127, 8]
  const hex = length.toString(16).padStart(extended * 2, '0')
  return Buffer.concat([
    Buffer.from([(fin ? 0x80 : 0) | reserved | opcode, maskBit | short]),
    extended === 0 ? Buffer.alloc(0) : Buffer.from(hex, 'hex'),
    key ?? Buffer.alloc(0),
  ])
}

/** A key that changes every byte, for the side that must mask. */
export const keyOf = (from: Side): Buffer | undefined =>
  from === 'client' ? Buffer.from([1, 2, 0x30, 0xff]) : undefined

export function closeBody(code: number, reason = ''): Buffer {
  return Buffer.concat([Buffer.from([code >> 8, code & 0xff]), Buffer.from(reason)])
}

/** In few words: `TEXT+ 5`, `CLOSE 1000 bye`. A plus says that the message goes on, a star that RSV1 is set. */
export function brief(frame: Frame): string {
  const name = Object.entries(Opcode).find(([, opcode]) => opcode === frame.opcode)?.[0]
  const marks = `${frame.rsv1 ? '*' : ''}${frame.fin ? '' : '+'}`
  if (frame.opcode === Opcode.CLOSE) return `${name}${marks} ${frame.code} ${frame.reason}`.trimEnd()
  return `${name}${marks} ${'payload' in frame ? frame.payload.toString('latin1') : frame.bytes}`.trimEnd()
}

/** In pieces of the sizes given, which are gone through again and again. */
export function cutInto(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const chunks: Buffer[] = []
  for (let at = 0; at < bytes.length; at += chunks.at(-1)?.length ?? 1) {
    const size = sizes[chunks.length % sizes.length] ?? 1
    chunks.push(Buffer.from(bytes.subarray(at, at + size)))
  }
  return chunks
}
