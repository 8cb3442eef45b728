/** From messages to what is done to a socket: frames whole or in pieces, well-formed or nearly, and an end of some kind. */
import { closePayload, Opcode } from '../../src/carrier/framing.ts'
import type { Random } from '../sim/random.ts'
import { type Line, mutateBytes, noise } from './mutation.ts'
import { encodeFrame, type FrameSpec } from './wire.ts'

export type Step =
  /** Waits for this many messages of the peer's, or its answer over HTTP, but not for long. */
  | { readonly hear: number; readonly withinMs?: number }
  /** Sends it in pieces that end at `cuts`. */
  | { readonly send: Buffer; readonly cuts: readonly number[] }
  /** An end of connect that would resume is told that there is nothing to resume. */
  | { readonly refuseResume: true }
  /** `leave`: the other side is given time to end it. */
  | { readonly end: 'fin' | 'reset' | 'half' | 'leave' }

export type Style = 'plain' | 'fragmented' | 'chopped' | 'controls' | 'malformed' | 'raw'

const styles: readonly Style[] = [
  ...(['plain', 'plain', 'plain', 'plain', 'plain', 'plain'] as const),
  ...(['fragmented', 'chopped', 'controls', 'malformed', 'raw'] as const),
]

export const anyStyle = (random: Random): Style => random.pick(styles)

/**
 * @param head goes before all
 * @param masked as a client must
 */
export function stepsOf(random: Random, head: Buffer, lines: readonly Line[], masked: boolean, style: Style): Step[] {
  const steps: Step[] = [send(random, head, style)]
  for (const { bytes, heard } of lines) {
    if (heard > 0) steps.push({ hear: heard })
    for (const frame of framesOf(random, bytes, masked, style)) steps.push(send(random, frame, style))
  }
  return style === 'raw' ? rawOf(random, steps) : steps
}

export function anyEnd(random: Random): Step {
  return { end: random.pick(['fin', 'reset', 'half', 'leave', 'leave']) }
}

function send(random: Random, bytes: Buffer, style: Style): Step {
  if (style !== 'chopped' || bytes.length < 2) return { send: bytes, cuts: [] }
  const longest = random.pick([1, 3, 17, 1_000])
  const cuts: number[] = []
  // Not every byte of a long one by itself: that is slow, and finds no more.
  for (let at = 1 + random.below(longest); at < bytes.length && cuts.length < 100; at += 1 + random.below(longest)) {
    cuts.push(at)
  }
  return { send: bytes, cuts }
}

function framesOf(random: Random, message: Buffer, masked: boolean, style: Style): Buffer[] {
  const mask = masked ? (random.chance(0.3) ? Buffer.alloc(4) : noise(random, 4)) : undefined
  const plain: FrameSpec = mask === undefined ? {} : { mask }
  const whole = encodeFrame(message, plain)
  switch (style) {
    case 'fragmented':
      return fragmentsOf(random, message, plain)
    case 'controls':
      return random.chance(0.7) ? [whole] : [...controlsOf(random, plain), whole]
    case 'malformed':
      return random.chance(0.9) ? [whole] : [encodeFrame(message, malformed(random, message, plain))]
    default:
      return [whole]
  }
}

/** Two are forgiven. */
function fragmentsOf(random: Random, message: Buffer, plain: FrameSpec): Buffer[] {
  const count = random.pick([1, 2, 2, 2, 2, 2, 2, 3])
  const ends = Array.from({ length: count - 1 }, () => random.below(message.length + 1)).sort((a, b) => a - b)
  const frames: Buffer[] = []
  for (const [index, end] of [...ends, message.length].entries()) {
    const opcode = index === 0 ? Opcode.BINARY : Opcode.CONTINUATION
    const part = message.subarray(ends[index - 1] ?? 0, end)
    frames.push(encodeFrame(part, { ...plain, opcode, final: index === count - 1 }))
    if (random.chance(0.1)) frames.push(...controlsOf(random, plain))
  }
  return frames
}

function controlsOf(random: Random, plain: FrameSpec): Buffer[] {
  const control = (opcode: number, payload: Buffer) => encodeFrame(payload, { ...plain, opcode })
  switch (random.below(8)) {
    case 0:
      return Array.from({ length: 30 }, () => control(Opcode.PING, Buffer.alloc(0)))
    case 1:
      return [
        control(Opcode.CLOSE, closePayload(random.pick([0, 999, 1000, 1005, 1006, 1012, 2999, 4409, 65_535]), 'x')),
      ]
    case 2:
      return [control(Opcode.CLOSE, noise(random, random.pick([0, 1, 2, 3, 60])))]
    case 3:
      return [control(Opcode.PONG, noise(random, random.pick([0, 8, 125])))]
    default:
      return [control(Opcode.PING, noise(random, random.pick([0, 1, 8, 125])))]
  }
}

function malformed(random: Random, message: Buffer, plain: FrameSpec): FrameSpec {
  const lengths = [0, 1, 125, 126, 127, 65_535, 65_536, 131_072, 131_073, 2 ** 31, 2 ** 32, 2 ** 53 - 1]
  switch (random.below(5)) {
    case 0:
      return { ...plain, opcode: random.below(16) }
    case 1:
      return { ...plain, reserved: random.pick([0x10, 0x20, 0x40, 0x70]) }
    case 2:
      return plain.mask === undefined ? { mask: noise(random, 4) } : {}
    case 3:
      return { ...plain, lengthBytes: message.length < 126 ? random.pick([2, 8]) : 8 }
    default:
      return { ...plain, claimedBytes: random.pick(lengths) }
  }
}

/** All bytes as one, with changes that know nothing of what they mean. */
function rawOf(random: Random, steps: readonly Step[]): Step[] {
  let bytes = Buffer.concat(steps.flatMap(step => ('send' in step ? [step.send] : [])))
  for (let left = 1 + random.below(3); left > 0; left--) bytes = Buffer.from(mutateBytes(random, bytes))
  const half = random.below(bytes.length + 1)
  return [send(random, bytes.subarray(0, half), 'chopped'), { hear: 1 }, send(random, bytes.subarray(half), 'plain')]
}
