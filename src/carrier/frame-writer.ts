/** Writes WebSocket frames to a socket (RFC 6455, section 5): unfragmented, masked as the end must, few system calls. */
import { randomFillSync } from 'node:crypto'
import type { Socket } from 'node:net'
import { LentWriter } from '../net/writing.ts'
import { giveBack, giveBackAll } from '../slab.ts'
import { messageBytes } from '../wire/message.ts'
import { applyMask } from './framing.ts'

/**
 * A server does not mask; a client does, with zeros where masking protects nobody: over TLS and on loopback
 * (docs/decisions/0004).
 */
export type Masking = 'none' | 'zero' | 'random'

const MASK_BYTES = 4
/** A message up to this size is copied behind its header: one buffer costs the kernel less than two. */
const COPY_BELOW_BYTES = 4 * 1024
const ZERO_MASK = Buffer.alloc(MASK_BYTES)

const masks: Readonly<Record<Masking, () => Buffer | undefined>> = {
  none: () => undefined,
  zero: () => ZERO_MASK,
  random: () => randomFillSync(Buffer.allocUnsafe(MASK_BYTES)),
}

export class FrameWriter {
  /** Handed to the socket since the beginning, headers included. */
  sentBytes = 0
  readonly #socket: Socket
  readonly #masking: Masking
  readonly #passed: LentWriter
  #corked = false

  constructor(socket: Socket, masking: Masking) {
    this.#socket = socket
    this.#masking = masking
    this.#passed = new LentWriter(socket)
  }

  /**
   * All that is written in one tick leaves with one system call.
   * @param pass the buffers are given back when they have left
   */
  write(opcode: number, first: Buffer, rest: readonly Buffer[], pass: boolean): void {
    const socket = this.#socket
    if (!this.#corked) {
      this.#corked = true
      socket.cork()
      process.nextTick(this.#uncork)
    }
    const bytes = messageBytes(first, rest)
    const mask = masks[this.#masking]()
    const headerBytes = frameHeaderBytes(bytes, mask !== undefined)
    this.sentBytes += headerBytes + bytes
    if (this.#masking === 'random' || bytes <= COPY_BELOW_BYTES) {
      const frame = Buffer.allocUnsafe(headerBytes + bytes)
      writeFrameHeader(frame, opcode, bytes, mask)
      let at = headerBytes + first.copy(frame, headerBytes)
      for (const part of rest) at += part.copy(frame, at)
      if (this.#masking === 'random' && mask !== undefined) applyMask(frame.subarray(headerBytes), mask, 0)
      socket.write(frame)
      if (pass) giveBackAll(first, rest)
      return
    }
    const copied = first.length <= COPY_BELOW_BYTES
    const head = Buffer.allocUnsafe(headerBytes + (copied ? first.length : 0))
    writeFrameHeader(head, opcode, bytes, mask)
    if (copied) first.copy(head, headerBytes)
    socket.write(head)
    const parts = pass ? this.#passed : socket
    if (!copied) parts.write(first)
    else if (pass) giveBack(first)
    for (const part of rest) parts.write(part)
  }

  readonly #uncork = (): void => {
    this.#corked = false
    this.#socket.uncork()
  }
}

/** Length of the header of a frame with so many bytes of payload. */
export function frameHeaderBytes(payloadBytes: number, masked: boolean): number {
  const extended = payloadBytes < 126 ? 0 : payloadBytes < 65_536 ? 2 : 8
  return 2 + extended + (masked ? MASK_BYTES : 0)
}

/** Writes the header of an unfragmented frame at the start of `target`; `mask` when the sender is a client. */
export function writeFrameHeader(target: Buffer, opcode: number, payloadBytes: number, mask?: Buffer): void {
  const masked = mask === undefined ? 0 : 0x80
  target[0] = 0x80 | opcode
  if (payloadBytes < 126) {
    target[1] = masked | payloadBytes
    mask?.copy(target, 2)
  } else if (payloadBytes < 65_536) {
    target[1] = masked | 126
    target.writeUInt16BE(payloadBytes, 2)
    mask?.copy(target, 4)
  } else {
    target[1] = masked | 127
    target.writeUIntBE(0, 2, 2)
    target.writeUIntBE(payloadBytes, 4, 6)
    mask?.copy(target, 10)
  }
}
