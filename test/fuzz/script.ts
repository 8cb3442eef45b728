/**
 * Lines of one side of a recorded conversation, made fit for another use of it: sessions with ids and keys of their own, which
 * the generator gives, and proofs that hold.
 */
import { resumeProof } from '../../src/mux/proof.ts'
import { decodeAttachment, encodeAttachment, Kind, kindOf, routeOf, setRoute } from '../../src/wire/message.ts'
import type { Random } from '../sim/random.ts'
import { type Line, noise } from './mutation.ts'
import type { Conversation } from './recording.ts'

export type Side = 'up' | 'down'

/** What one side says, up to `most` lines. */
export function linesOf({ said }: Conversation, side: Side, most = Number.POSITIVE_INFINITY): Line[] {
  const lines: Line[] = []
  let heard = 0
  for (const { up, bytes } of said) {
    if (lines.length >= most) break
    if (up === (side === 'up')) {
      lines.push({ bytes, heard })
      heard = 0
    } else heard++
  }
  return lines
}

/** What belongs to one route. What was heard between its lines on others is not waited for. */
export const onRoute = (lines: readonly Line[], route: number): Line[] =>
  lines.filter(({ bytes }) => routeOf(bytes) === route)

export const movedTo = (lines: readonly Line[], route: number): Line[] =>
  lines.map(line => {
    const bytes = Buffer.from(line.bytes)
    setRoute(bytes, route)
    return { ...line, bytes }
  })

/** A session's id and key, in the place of those of the recording. */
export interface Identity {
  readonly id: Buffer
  readonly key: Buffer
}

export const anyIdentity = (random: Random): Identity => ({ id: noise(random, 16), key: noise(random, 32) })

/** Every ATTACH is one for this session, from connect or from the gateway. The process that holds it is not named. */
export function asSession(lines: readonly Line[], { id, key }: Identity, agent?: string): Line[] {
  return lines.map(line => {
    if (kindOf(line.bytes) !== Kind.ATTACH) return line
    const { epoch, json } = decodeAttachment(line.bytes)
    const { key: created, proof: _proof, instance: _instance, ...rest } = json
    const credential =
      created === undefined
        ? { proof: resumeProof(key, id, epoch).toString('base64url') }
        : { key: key.toString('base64url') }
    const changed = { ...rest, ...credential, ...(agent !== undefined && { agent }) }
    // True of any session: what was acknowledged before holds.
    const attachment = { epoch, expected: 0, sessionId: id, json: changed }
    return { ...line, bytes: encodeAttachment(Kind.ATTACH, routeOf(line.bytes), attachment) }
  })
}

/** Nothing is acknowledged: true of any batches that the other end may have sent by then. */
export function withoutAcks(lines: readonly Line[]): Line[] {
  return lines.map(line => {
    const kind = kindOf(line.bytes)
    if (kind !== Kind.BATCH && kind !== Kind.ACK) return line
    const bytes = Buffer.from(line.bytes)
    bytes.writeUIntBE(0, kind === Kind.BATCH ? 12 : 6, 6)
    return { ...line, bytes }
  })
}
