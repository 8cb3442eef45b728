/**
 * Changes to a list of messages: to which there are and in which order, to one number, to one JSON, to the frames of one batch,
 * and to bytes wherever they are. All of it follows from the generator that is given.
 */
import { encodeCredit, encodeOpen, encodeOpened, encodeReset, FrameType } from '../../src/wire/frame.ts'
import { BATCH_HEADER_BYTES, Kind, kindOf, MAX_MESSAGE_BYTES, routeOf } from '../../src/wire/message.ts'
import type { Random } from '../sim/random.ts'
import { fieldsOf, framesOf, jsonOf } from './fields.ts'
import { mutateJson } from './json-mutation.ts'

/** One message, and how many of the peer's came between it and the one before. */
export interface Line {
  readonly bytes: Buffer
  readonly heard: number
}

const boundaries: readonly number[] = [
  ...[0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 2 ** 16 - 1, 2 ** 16, 64 * 1024 + 1, 2 ** 18, 2 ** 24 - 1, 2 ** 24],
  ...[2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 47, 2 ** 48 - 2, 2 ** 48 - 1],
]

/** Messages that may come in between, by their kind: some kinds are rare in a conversation, and must not be so here. */
export type Pool = readonly (readonly Buffer[])[]

export function poolOf(messages: readonly Buffer[]): Pool {
  return Object.values(Kind)
    .map(kind => messages.filter(message => kindOf(message) === kind))
    .filter(({ length }) => length > 0)
}

/** @param count how many changes */
export function mutateLines(random: Random, lines: readonly Line[], pool: Pool, count: number): Line[] {
  let changed = [...lines]
  for (let left = count; left > 0; left--) changed = mutateOnce(random, changed, pool)
  return changed
}

function mutateOnce(random: Random, lines: readonly Line[], pool: Pool): Line[] {
  const changed = [...lines]
  // The greeting at the front is changed least: behind a bad one nothing is read.
  const index =
    lines.length > 2 && random.chance(0.85) ? 1 + random.below(lines.length - 1) : random.below(lines.length)
  const line = lines[index]
  const other = pool.length === 0 ? undefined : random.pick(random.pick(pool))
  if (line === undefined) return other === undefined ? changed : [{ bytes: other, heard: 0 }]
  switch (random.below(12)) {
    case 0:
      changed.splice(index, 1)
      break
    case 1:
      for (let copies = random.pick([1, 1, 1, 2, 30]); copies > 0; copies--) changed.splice(index, 0, line)
      break
    case 2: {
      changed.splice(index, 1)
      changed.splice(random.below(changed.length + 1), 0, line)
      break
    }
    case 3:
    case 4: {
      if (other === undefined) break
      const between = onRouteOf(line.bytes, random.chance(0.5) ? other : mutateMessage(random, other))
      changed.splice(index, 0, { ...line, bytes: between })
      break
    }
    default:
      changed[index] = { ...line, bytes: mutateMessage(random, line.bytes) }
  }
  return changed
}

/** One change to one message. */
export function mutateMessage(random: Random, message: Buffer): Buffer {
  // Where there is JSON it is most of the message.
  if (jsonOf(message).length > 0 && random.chance(0.4)) return mutateJsonOf(random, message)
  const ways = [mutateField, mutateField, mutateField, mutateFrames, mutateFrames, mutateBytes]
  return random.pick(ways)(random, message)
}

/** Another value for one number. */
export function mutateField(random: Random, message: Buffer): Buffer {
  const fields = fieldsOf(message)
  if (fields.length === 0) return mutateBytes(random, message)
  const { name, at, bytes } = random.pick(fields)
  const changed = Buffer.from(message)
  const now = message.readUIntBE(at, bytes)
  const near = [now - 1, now + 1, now + 2, now * 2]
  const known = name === 'kind' ? Object.values(Kind) : name === 'type' ? [0, 1, 2, 3, 4, 5, 6, 7] : near
  const value = random.chance(0.5) ? random.pick(known) : random.pick(boundaries)
  changed.writeUIntBE(Math.max(0, value) % 2 ** (8 * bytes), at, bytes)
  return changed
}

/** Frames of a batch dropped, repeated, moved, and others in between. */
export function mutateFrames(random: Random, message: Buffer): Buffer {
  if (kindOf(message) !== Kind.BATCH || message.length < BATCH_HEADER_BYTES) return mutateField(random, message)
  const frames = framesOf(message).map(({ at, end }) => message.subarray(at, end))
  const index = random.below(Math.max(1, frames.length))
  const [frame] = frames.slice(index)
  switch (random.below(4)) {
    case 0:
      frames.splice(index, 1)
      break
    case 1:
      if (frame !== undefined) for (let copies = random.pick([1, 2, 500]); copies > 0; copies--) frames.push(frame)
      break
    default: {
      const stream = frame === undefined ? 1 : random.chance(0.7) ? frame.readUInt32BE(1) : random.below(20)
      frames.splice(random.below(frames.length + 1), 0, anyFrame(random, stream))
    }
  }
  const changed = Buffer.concat([message.subarray(0, BATCH_HEADER_BYTES), ...frames])
  return changed.length > MAX_MESSAGE_BYTES + 1 ? message : changed
}

function anyFrame(random: Random, stream: number): Buffer {
  const payloads: readonly (() => readonly [type: number, payload: Buffer])[] = [
    () => [FrameType.OPEN, encodeOpen(random.pick(boundaries), { service: 'echo', namespace: 'fuzz', port: 7 })],
    () => [FrameType.OPENED, encodeOpened(random.pick(boundaries), random.below(2 ** 16))],
    () => [FrameType.DATA, Buffer.alloc(random.pick([1, 2, 1_000, 16_384, 65_535, 65_536, 100_000]), 'd')],
    () => [FrameType.FIN, Buffer.alloc(0)],
    () => [FrameType.RESET, encodeReset(random.below(45), random.pick(['', 'why', 'é'.repeat(200)]))],
    () => [FrameType.CREDIT, encodeCredit(random.pick(boundaries))],
  ]
  const [type, payload] = random.pick(payloads)()
  const header = Buffer.alloc(8)
  header[0] = type
  header.writeUInt32BE(stream, 1)
  header.writeUIntBE(payload.length, 5, 3)
  return Buffer.concat([header, payload])
}

/** The length of the frame around the JSON mostly follows. */
export function mutateJsonOf(random: Random, message: Buffer): Buffer {
  const ranges = jsonOf(message)
  if (ranges.length === 0) return mutateField(random, message)
  const { at, end, lengthAt } = random.pick(ranges)
  const json = Buffer.from(mutateJson(random, message.toString('utf8', at, end)))
  const changed = Buffer.concat([message.subarray(0, at), json, message.subarray(end)])
  if (lengthAt === undefined || random.chance(0.05)) return changed
  const length = message.readUIntBE(lengthAt, 3) + json.length - (end - at)
  changed.writeUIntBE(Math.max(0, length), lengthAt, 3)
  return changed
}

/** Flips, cuts, repeats, removes or adds bytes, whatever they mean. */
export function mutateBytes(random: Random, bytes: Buffer): Buffer {
  const at = random.below(bytes.length + 1)
  const end = Math.min(bytes.length, at + 1 + random.below(random.pick([2, 8, 64])))
  switch (random.below(6)) {
    case 0:
      return Buffer.from(bytes.subarray(0, at))
    case 1:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(end)])
    case 2:
      return Buffer.concat([bytes.subarray(0, end), bytes.subarray(at)])
    case 3:
      return Buffer.concat([bytes.subarray(0, at), noise(random, 1 + random.below(20)), bytes.subarray(at)])
    default: {
      const changed = Buffer.from(bytes)
      for (let flips = 1 + random.below(4); flips > 0 && changed.length > 0; flips--) {
        const index = random.below(changed.length)
        changed[index] = random.chance(0.5) ? random.below(256) : (changed[index] ?? 0) ^ (1 << random.below(8))
      }
      return changed
    }
  }
}

export function noise(random: Random, bytes: number): Buffer {
  return Buffer.from(Array.from({ length: bytes }, () => random.below(256)))
}

/** Numbers the batches of each route anew, so that what was left out or repeated is no gap, and what comes behind it is read. */
export function renumber(lines: readonly Line[]): Line[] {
  const last = new Map<number, number>()
  return lines.map(line => {
    if (kindOf(line.bytes) !== Kind.BATCH || line.bytes.length < BATCH_HEADER_BYTES) return line
    const before = last.get(routeOf(line.bytes))
    const seq = before === undefined ? line.bytes.readUIntBE(6, 6) : (before + 1) % 2 ** 48
    last.set(routeOf(line.bytes), seq)
    const bytes = Buffer.from(line.bytes)
    bytes.writeUIntBE(seq, 6, 6)
    return { ...line, bytes }
  })
}

function onRouteOf(example: Buffer, message: Buffer): Buffer {
  const changed = Buffer.from(message)
  if (example.length >= 4 && changed.length >= 4) example.copy(changed, 0, 0, 4)
  return changed
}
