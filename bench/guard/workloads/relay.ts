/** A gateway's relay between a client and an agent, without their sockets. */
import type { Carrier } from '../../../src/carrier/carrier.ts'
import { systemClock } from '../../../src/clock.ts'
import { Hop } from '../../../src/gateway/hop.ts'
import { Pace } from '../../../src/gateway/pace.ts'
import { type Principal, principalFromClaims } from '../../../src/gateway/principal.ts'
import { Relay } from '../../../src/gateway/relay.ts'
import type { Role } from '../../../src/net/claims.ts'
import { BatchBuilder } from '../../../src/wire/batch.ts'
import { encodeOpen, FrameType } from '../../../src/wire/frame.ts'
import {
  encodeAck,
  encodeAttachment,
  Kind,
  messageBytes,
  SESSION_ID_BYTES,
  setRoute,
} from '../../../src/wire/message.ts'

const CLIENT_ROUTE = 5
/** The first that the gateway gives away. */
const AGENT_ROUTE = 1
/** So often a carrier has sent what it buffers; in between it gets full, and messages queue. */
const DRAIN_EVERY = 32

/** Takes everything, and says that it buffers it until told otherwise. */
class Sink implements Carrier {
  readonly heartbeatMs = undefined
  readonly pongs = 0
  bufferedBytes = 0
  sentBytes = 0
  messages = 0

  send(message: Buffer, rest: readonly Buffer[] = []): void {
    this.pass(message, rest)
  }

  pass(message: Buffer, rest: readonly Buffer[]): void {
    this.messages++
    this.bufferedBytes += messageBytes(message, rest)
    this.sentBytes += messageBytes(message, rest)
  }

  close(_code: number, reason: string): void {
    throw new Error(`the relay has closed a carrier: ${reason}`)
  }

  probe(): void {}
  hold(): void {}
  terminate(): void {}
  start(): void {}
}

type Message = readonly [first: Buffer, rest: readonly Buffer[]]

/** What a client sends: of every four messages one is full, and one opens a stream. */
function clientMessages(): Message[] {
  const open = encodeOpen(256 * 1024, { service: 'api', namespace: 'prod', port: 8080, protocol: 'tcp' })
  const small = Buffer.alloc(64, 1)
  const eight = Array.from({ length: 8 }, (_, index) => [FrameType.DATA, index + 1, small] as const)
  return [
    batch([[FrameType.DATA, 1, Buffer.alloc(64 * 1024, 1)]]),
    batch(eight),
    batch([
      [FrameType.OPEN, 9, open],
      [FrameType.DATA, 9, small],
    ]),
    [encodeAck(CLIENT_ROUTE, 1), []],
  ]
}

function batch(frames: readonly (readonly [type: number, stream: number, payload: Buffer])[]): Message {
  const builder = new BatchBuilder()
  for (const [type, stream, payload] of frames) builder.add(type, stream, payload)
  const message = builder.encode(CLIENT_ROUTE, 1, 0)
  return message.length < 16 * 1024 ? [message, []] : [message.subarray(0, 5_000), [message.subarray(5_000)]]
}

function principal(role: Role): Principal {
  const limits = { agents: ['home'], allow: ['*/prod:*'], iat: 0, exp: 2 ** 40 }
  return principalFromClaims({ role, sub: role, jti: role, iss: 'tunnelctl', aud: 'tunnelctl', ...limits })
}

const messages = clientMessages()

/** Both ways. */
export const relayMessages = (rounds: number): number => rounds * 2 * messages.length

/** `rounds` times four messages from the client to the agent, and as many back. */
export function relay(rounds: number): void {
  const ignore = () => {}
  const gateway = new Relay({ opened: ignore, attached: ignore, superseded: ignore, overloaded: ignore })
  const near = new Sink()
  const far = new Sink()
  const { memory } = gateway
  const pace = new Pace(systemClock, Number.MAX_SAFE_INTEGER)
  const client = new Hop(near, principal('connect'), { memory, pace })
  const agent = new Hop(far, principal('agent'), { memory })
  gateway.add(agent, {})
  gateway.add(client, {})
  const json = { agent: 'home', key: 'k', maxInflight: 1 }
  const sessionId = Buffer.alloc(SESSION_ID_BYTES)
  gateway.message(client, encodeAttachment(Kind.ATTACH, CLIENT_ROUTE, { epoch: 1, sessionId, expected: 0, json }))
  const before = near.messages + far.messages
  for (let round = 0; round < rounds; round++) {
    for (const [first, rest] of messages) {
      setRoute(first, CLIENT_ROUTE)
      gateway.message(client, first, rest)
      setRoute(first, AGENT_ROUTE)
      gateway.message(agent, first, rest)
    }
    if (round % DRAIN_EVERY !== 0) continue
    drain(agent, far)
    drain(client, near)
  }
  drain(agent, far)
  drain(client, near)
  const sent = near.messages + far.messages - before
  if (sent !== relayMessages(rounds)) throw new Error(`${sent} messages were sent`)
}

/** Until nothing is queued any more. */
function drain(hop: Hop, carrier: Sink): void {
  while (carrier.bufferedBytes > 0) {
    carrier.bufferedBytes = 0
    hop.drain()
  }
}
