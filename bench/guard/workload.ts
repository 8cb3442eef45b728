/** What the guard counts: small fixed pieces of work in the product's core. */
import { framing, framingMessages } from './workloads/framing.ts'
import { relay, relayMessages } from './workloads/relay.ts'
import { bulk, idleBytes, interactive, newStreams } from './workloads/sessions.ts'

export interface Workload {
  readonly id: string
  readonly label: string
}

/** Counted in processor instructions, each in a process of its own. */
export interface Counted extends Workload {
  /** What the figure is for. */
  readonly unit: string
  /** How many of these one call of `run` does. */
  readonly units: number
  run(): void | Promise<void>
}

export const counted: readonly Counted[] = [
  { id: 'bulk', label: 'one bulk stream', unit: '64 KiB', units: 200, run: () => bulk(200) },
  {
    id: 'interactive',
    label: 'small messages on 50 streams',
    unit: 'message and echo',
    units: 500,
    run: () => interactive(50, 10),
  },
  { id: 'new-streams', label: 'new streams', unit: 'stream', units: 100, run: () => newStreams(100) },
  {
    id: 'relay',
    label: 'messages through the relay',
    unit: 'message',
    units: relayMessages(250),
    run: () => relay(250),
  },
  {
    id: 'framing',
    label: 'WebSocket frames from cut chunks',
    unit: 'message',
    units: framingMessages(50),
    run: () => framing(50),
  },
]

/** Instructions of the product's start, beside those of an empty script. */
export const start: Workload = { id: 'start', label: 'tunnelctl --version' }

/**
 * Bytes that one stream keeps, both ends together. So many streams, because what is there once comes to a few hundred KB more or less:
 * tables that grew just before or just after, and what is kept until it is acknowledged.
 */
export const idle: Workload & { run(): Promise<number> } = {
  id: 'idle',
  label: 'idle stream, both ends',
  run: () => idleBytes(16_000),
}

/** Calls that come before, so that everything is loaded and every cache of the engine is filled. */
export const WARM_CALLS = 2
export const COUNTED_CALLS = 4
