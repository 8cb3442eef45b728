import { createHmac, timingSafeEqual } from 'node:crypto'

export const KEY_BYTES = 32
const LABEL = 'tunnelctl resume'

/**
 * Shows that the sender holds the session's key without sending it (docs/protocol.md, "Resume"). The epoch rises with
 * every attempt, so that a proof that was overheard proves nothing later.
 */
export function resumeProof(key: Buffer, sessionId: Buffer, epoch: number): Buffer {
  const counter = Buffer.alloc(4)
  counter.writeUInt32BE(epoch)
  return createHmac('sha256', key).update(LABEL).update(sessionId).update(counter).digest()
}

/** Compares in constant time. Anything that is not the base64url of a proof is false. */
export function proofHolds(key: Buffer, sessionId: Buffer, epoch: number, proof: unknown): boolean {
  if (typeof proof !== 'string') return false
  const given = Buffer.from(proof, 'base64url')
  const expected = resumeProof(key, sessionId, epoch)
  return given.length === expected.length && timingSafeEqual(given, expected)
}
