/** The connect role in the demo's own process, on the screen as `tunnelctl connect` is. */
import { randomBytes } from 'node:crypto'
import { systemClock } from '../../clock.ts'
import { Connect } from '../../connect/connect.ts'
import type { ConnectEvent } from '../../connect/events.ts'
import { parseTarget } from '../../net/target.ts'
import { gatewayDialler } from '../dialler.ts'
import type { Io } from '../io.ts'
import { createOutput } from '../output/sink.ts'
import { software } from '../version.ts'
import type { Stage } from './stage.ts'

/** Local ports. */
export interface Ports {
  readonly web: number
  readonly echo: number
}

export interface Forwards {
  readonly ports: Ports
  /** Round-trip times, end to end: the last 30, oldest first. */
  readonly pingsMs: readonly number[]
  /** A line above the live block. */
  note(text: string): void
  /** Resolves with the length of the gap when the session is next resumed. */
  nextResume(): Promise<number>
}

export interface ForwardsOptions {
  readonly stage: Stage
  readonly io: Io
  /** Absent: free ports. */
  readonly ports?: Ports
  /** Aborts with the error that everything ends with. */
  readonly signal: AbortSignal
}

/** Often, for the demo is short. */
export const PING_MS = 100
const HOLD_MS = 30_000

/**
 * Forwards both targets while `body` runs, and puts the terminal back in order behind it.
 * @throws what `body` throws, why connect failed, or the reason of `signal`
 */
export async function withForwards<T>(
  { stage, io, ports, signal }: ForwardsOptions,
  body: (forwards: Forwards) => Promise<T>,
): Promise<T> {
  const { address, dial } = await gatewayDialler(
    { gateway: stage.url, tokenFile: stage.connectTokenFile },
    'connect',
    io,
  )
  const gateway = address.url.href.replace(/\/$/, '')
  const own = new AbortController()
  let resumed: (gapMs: number) => void = () => {}
  let connect: Connect | undefined
  const output = createOutput({ io, output: 'text', talk: 'normal', snapshot: () => connect?.snapshot() })
  connect = new Connect({
    gateway,
    sink: {
      event(event: ConnectEvent) {
        if (event.event === 'resumed') resumed(event.gapMs)
        // At the end connections are cut on purpose, which is no news.
        if (!signal.aborted && !own.signal.aborted) output.event(event)
      },
    },
    software,
    dialGateway: dial,
    clock: systemClock,
    wallNow: Date.now,
    random: Math.random,
    randomBytes,
    pingIntervalMs: PING_MS,
    holdMs: HOLD_MS,
  })
  const { web = 0, echo = 0 } = ports ?? {}
  const local = { address: '127.0.0.1' }
  const forwards = [
    { ...local, target: parseTarget('web/demo:80'), port: web },
    { ...local, target: parseTarget('echo/demo:7'), port: echo },
  ]
  output.connecting(gateway)
  let ready: (ports: Ports) => void = () => {}
  const listening = new Promise<Ports>(resolve => {
    ready = resolve
  })
  const running = connect.forward(forwards, AbortSignal.any([signal, own.signal]), ([web, echo]) =>
    ready({ web: portOf(web?.locals), echo: portOf(echo?.locals) }),
  )
  const over = running.then(() => Promise.reject(signal.reason))
  try {
    const bound = await Promise.race([listening, over])
    const during: Forwards = {
      ports: bound,
      get pingsMs() {
        return connect.snapshot().ping.recentMs
      },
      note: text => output.note(text),
      nextResume: () =>
        new Promise(resolve => {
          resumed = resolve
        }),
    }
    return await Promise.race([body(during), over])
  } finally {
    own.abort()
    await running.catch(() => {})
    output.close()
  }
}

const portOf = ([local = '']: readonly string[] = []): number => Number(local.slice(local.lastIndexOf(':') + 1))
