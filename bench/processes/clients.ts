/**
 * Many clients of tunnelctl in one process: each a carrier of its own with a session, as of one `connect`. The only
 * place of the bench that uses the product's core.
 */
import { randomBytes } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { dialGateway } from '../../src/carrier/dial.ts'
import { systemClock as clock } from '../../src/clock.ts'
import { Initiator } from '../../src/mux/initiator.ts'
import { Link } from '../../src/mux/link.ts'

export interface ClientOptions {
  readonly gateway: string
  readonly token: string
  readonly agent: string
  /** As in a frame that opens a stream. */
  readonly target: object
  readonly streams: number
  /** The carrier or the session has ended. */
  readonly lost: (why: string) => void
}

/** Resolves with its streams once the session is attached; the service may not be reached yet. */
export async function openClient(options: ClientOptions): Promise<Duplex[]> {
  const { gateway, token, agent, target, streams, lost } = options
  const { signal } = new AbortController()
  const carrier = await dialGateway({ url: new URL(gateway), role: 'connect', token, clock, signal })
  const link = await Link.greet(carrier, { clock, hello: { role: 'connect', software: 'tunnelctl-bench' } })
  const initiator = new Initiator({
    agent,
    clock,
    randomBytes,
    onDetached: error => lost(error.message),
    onClosed: error => lost(error.message),
  })
  await initiator.attach(link)
  return Array.from({ length: streams }, () => initiator.session.open(target))
}
