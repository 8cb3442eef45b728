/** Where in a message its numbers and its JSON stand (docs/protocol.md), for who wants to change one of them and nothing else. */
import { FRAME_HEADER_BYTES, FrameType } from '../../src/wire/frame.ts'
import { BATCH_HEADER_BYTES, HEADER_BYTES, Kind, kindOf } from '../../src/wire/message.ts'

export interface Field {
  readonly name: string
  readonly at: number
  readonly bytes: number
}

/** JSON from `at` to the end of the message, or of its frame. */
export interface JsonRange {
  readonly at: number
  readonly end: number
  /** Where the length of the frame around it stands. */
  readonly lengthAt?: number
}

export interface Frame {
  readonly type: number
  readonly at: number
  readonly end: number
}

const JSON_OF_ATTACH_AT = HEADER_BYTES + 26
const JSON_OF_OPEN_AT = FRAME_HEADER_BYTES + 7

const header: readonly Field[] = [
  { name: 'route', at: 0, bytes: 4 },
  { name: 'kind', at: 4, bytes: 1 },
  { name: 'flags', at: 5, bytes: 1 },
]

const attachment: readonly Field[] = [field('epoch', 6, 4), field('expected', 26, 6)]
const nonce: readonly Field[] = [field('nonce', 8, 6)]

const ofKind: ReadonlyMap<number, readonly Field[]> = new Map<number, readonly Field[]>([
  [Kind.ATTACH, attachment],
  [Kind.ATTACHED, attachment],
  [Kind.DETACH, [field('code', 6, 2), field('retryMs', 8, 4)]],
  [Kind.BATCH, [field('seq', 6, 6), field('ack', 12, 6)]],
  [Kind.ACK, [field('ack', 6, 6)]],
  [Kind.PING, nonce],
  [Kind.PONG, nonce],
])

const ofFrame: ReadonlyMap<number, readonly Field[]> = new Map([
  [FrameType.OPEN, [field('verdict', 8, 1), field('limit', 9, 6)]],
  [FrameType.OPENED, [field('limit', 8, 6), field('port', 14, 2)]],
  [FrameType.RESET, [field('code', 8, 2)]],
  [FrameType.CREDIT, [field('limit', 8, 6)]],
])

/** Those that are whole in `message`, whatever it is. */
export function fieldsOf(message: Buffer): readonly Field[] {
  const fields = [...header, ...(ofKind.get(kindOf(message)) ?? [])]
  for (const { type, at } of framesOf(message)) {
    fields.push(field('type', at, 1), field('stream', at + 1, 4), field('length', at + 5, 3))
    for (const each of ofFrame.get(type) ?? []) fields.push({ ...each, at: at + each.at })
  }
  return fields.filter(({ at, bytes }) => at + bytes <= message.length)
}

/** The frames of a BATCH up to the first that does not end in it; of any other message none. */
export function framesOf(message: Buffer): readonly Frame[] {
  if (kindOf(message) !== Kind.BATCH) return []
  const frames: Frame[] = []
  let at = BATCH_HEADER_BYTES
  while (at + FRAME_HEADER_BYTES <= message.length) {
    const end = at + FRAME_HEADER_BYTES + message.readUIntBE(at + 5, 3)
    if (end > message.length) break
    frames.push({ type: message[at] ?? 0, at, end })
    at = end
  }
  return frames
}

export function jsonOf(message: Buffer): readonly JsonRange[] {
  switch (kindOf(message)) {
    case Kind.HELLO:
    case Kind.WELCOME:
    case Kind.DRAIN:
    case Kind.CATALOGUE:
      return [{ at: HEADER_BYTES, end: message.length }]
    case Kind.ATTACH:
    case Kind.ATTACHED:
      return message.length < JSON_OF_ATTACH_AT ? [] : [{ at: JSON_OF_ATTACH_AT, end: message.length }]
    default:
      return framesOf(message)
        .filter(({ type, at, end }) => type === FrameType.OPEN && end - at >= JSON_OF_OPEN_AT)
        .map(({ at, end }) => ({ at: at + JSON_OF_OPEN_AT, end, lengthAt: at + 5 }))
  }
}

function field(name: string, at: number, bytes: number): Field {
  return { name, at, bytes }
}
