/** WebSocket frames as they come from a socket: cut anywhere. */
import { frameHeaderBytes, writeFrameHeader } from '../../../src/carrier/frame-writer.ts'
import { FrameReader, Opcode } from '../../../src/carrier/framing.ts'

const ZERO_MASK = Buffer.alloc(4)
const MASK = Buffer.from([1, 2, 3, 4])
/** Small ones, some that are copied together, and full batches. */
const MESSAGE_BYTES = [40, 90, 300, 40, 1_200, 60, 9_000, 40, 65_600, 200, 65_600, 65_600]
/** What a socket gives at a time: as much as there is room for, or as little as a packet. */
const CHUNK_BYTES = [65_536, 65_536, 1_448, 2_896, 65_536, 17_000]

/** Few bytes, for to unmask them is a loop over each, which would outweigh all else. */
const SMALL_MESSAGE_BYTES = MESSAGE_BYTES.filter(bytes => bytes < 100)

export const framingMessages = (rounds: number): number =>
  rounds * (2 * MESSAGE_BYTES.length + SMALL_MESSAGE_BYTES.length)

/** Reads `rounds` times all messages without a mask and with one that changes nothing, and the small ones masked. */
export function framing(rounds: number): void {
  let messages = 0
  const handler = { message: () => messages++, control: () => {} }
  const plain = cut(frames(MESSAGE_BYTES, undefined))
  const zeroMasked = cut(frames(MESSAGE_BYTES, ZERO_MASK))
  const masked = cut(frames(SMALL_MESSAGE_BYTES, MASK))
  const fromServer = new FrameReader(false, handler)
  const fromClient = new FrameReader(true, handler)
  for (let round = 0; round < rounds; round++) {
    for (const chunk of plain) fromServer.read(chunk)
    for (const chunk of zeroMasked) fromClient.read(chunk)
    for (const chunk of masked) fromClient.read(chunk)
  }
  const sent = framingMessages(rounds)
  if (messages !== sent) throw new Error(`${messages} of ${sent} messages were read`)
}

function frames(messageBytes: readonly number[], mask: Buffer | undefined): Buffer {
  const all: Buffer[] = []
  for (const bytes of messageBytes) {
    const header = Buffer.alloc(frameHeaderBytes(bytes, mask !== undefined))
    writeFrameHeader(header, Opcode.BINARY, bytes, mask)
    all.push(header, Buffer.alloc(bytes, 1))
  }
  return Buffer.concat(all)
}

function cut(bytes: Buffer): Buffer[] {
  const chunks: Buffer[] = []
  for (let from = 0; from < bytes.length; ) {
    const length = CHUNK_BYTES[chunks.length % CHUNK_BYTES.length] ?? 0
    chunks.push(bytes.subarray(from, from + length))
    from += length
  }
  return chunks
}
