/** One connection to a service, as `connect` makes it, with a local port that nobody else knows. */
import { randomBytes } from 'node:crypto'
import { connect as connectTcp, type Socket } from 'node:net'
import { dialGateway } from '../../carrier/dial.ts'
import { systemClock } from '../../clock.ts'
import { Connect } from '../../connect/connect.ts'
import type { ConnectEvent, ConnectSink, ConnectSnapshot } from '../../connect/events.ts'
import { TunnelError } from '../../errors.ts'
import type { Target } from '../../net/target.ts'
import { software } from '../version.ts'
import { type Known, type Patient, TIMEOUT_MS } from './patient.ts'

export interface Probe {
  readonly snapshot: ConnectSnapshot
  /**
   * A socket that is joined to the target. The caller destroys it.
   * @throws TunnelError why the target is not reached
   */
  dial(): Promise<Socket>
}

/**
 * What `task` finds, once a session with the agent is there.
 * @throws TunnelError why there is none, or what `task` throws
 */
export async function withProbe(
  patient: Patient,
  { address, token }: Known,
  target: Target | undefined,
  task: (probe: Probe) => Promise<string>,
): Promise<string> {
  const { agent } = patient
  const own = new AbortController()
  const signal = AbortSignal.any([patient.signal, own.signal])
  const events = new Events()
  const gateway = { ...address, role: 'connect', token, clock: systemClock } as const
  const connect = new Connect({
    gateway: address.url.href,
    sink: events,
    ...(agent !== undefined && { agent }),
    software,
    dialGateway: stop => dialGateway({ ...gateway, signal: stop }),
    clock: systemClock,
    wallNow: Date.now,
    random: Math.random,
    randomBytes,
    pingIntervalMs: 1_000,
    holdMs: TIMEOUT_MS,
  })
  const late = setTimeout(() => own.abort(), 2 * TIMEOUT_MS)
  let found: string | undefined
  try {
    const forwards = target === undefined ? [] : [{ target, address: '127.0.0.1', port: 0 }]
    await connect.forward(forwards, signal, async ([forward]) => {
      const port = Number(forward?.locals[0]?.split(':').at(-1))
      found = await task({ snapshot: connect.snapshot(), dial: () => dialThrough(port, events) })
      own.abort()
    })
    if (found === undefined) throw events.failure ?? new TunnelError('AGENT_SILENT', 'the agent did not answer in time')
    return found
  } finally {
    clearTimeout(late)
    own.abort()
  }
}

async function dialThrough(port: number, events: Events): Promise<Socket> {
  const socket = connectTcp({ host: '127.0.0.1', port })
  socket.on('error', () => {})
  try {
    await events.opened()
    return socket
  } catch (thrown) {
    socket.destroy()
    throw thrown
  }
}

/** What `connect` tells, as far as it matters here. */
class Events implements ConnectSink {
  failure: TunnelError | undefined
  #settle: (failure?: TunnelError) => void = () => {}

  event(event: ConnectEvent): void {
    if (event.event === 'open') this.#settle()
    if (event.event !== 'error') return
    this.failure ??= new TunnelError(event.code, event.message, { hint: event.hint })
    this.#settle(this.failure)
  }

  /** Resolves when the service is reached. Throws why it is not. */
  opened(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#settle = failure => (failure === undefined ? resolve() : reject(failure))
    })
  }
}
