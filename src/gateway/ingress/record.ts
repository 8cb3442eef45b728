/** What the access log says of one request, or of one upgraded connection: one line, when it is over. */
import type { Clock } from '../../clock.ts'
import { formatTarget, type Target } from '../../net/target.ts'
import type { Log } from '../../observe/log.ts'
import type { Principal } from '../principal.ts'
import type { Client } from './client.ts'

/**
 * `routing` until a target is known, `opening` until the service has accepted a stream (or one that is open is used again), `sent`
 * until its answer begins, `answering` until that has ended, and for an upgraded connection `upgraded`.
 */
export type Progress = 'routing' | 'opening' | 'sent' | 'answering' | 'upgraded' | 'done'

export interface RecordStart {
  readonly id: string
  readonly client: Client
  readonly method: string
}

export class RequestRecord {
  readonly id: string
  host = ''
  /** Without the query, which may hold secrets. */
  path = ''
  target: Target | undefined
  agent: string | undefined
  /** Who was let in; undefined where nobody was asked. */
  principal: Principal | undefined
  status = 0
  /** Of bodies, or of what followed an upgrade. */
  bytesIn = 0
  bytesOut = 0
  upgrade: string | undefined
  /** The service was reached; and over a connection that had carried another request. */
  connected = false
  reused = false
  code: string | undefined
  /** What was seen of an upgraded connection. */
  frames: object | undefined
  #progress: Progress = 'routing'
  readonly #start: RecordStart
  readonly #clock: Clock
  readonly #since: number
  readonly #reached: { [progress in Progress]?: number } = {}

  constructor(start: RecordStart, clock: Clock) {
    this.id = start.id
    this.#start = start
    this.#clock = clock
    this.#since = clock.now()
  }

  get client(): Client {
    return this.#start.client
  }

  /** No byte of an answer has left yet. */
  get unanswered(): boolean {
    return this.#progress === 'routing' || this.#progress === 'opening' || this.#progress === 'sent'
  }

  transition(to: Progress): void {
    this.#progress = to
    this.#reached[to] = this.#clock.now() - this.#since
  }

  /** Ends the record; the second call does nothing. */
  finish(log: Log): void {
    if (this.#progress === 'done') return
    this.transition('done')
    const { client, method } = this.#start
    const { id, host, path, target, agent, principal, status, bytesIn, bytesOut, upgrade, connected, reused, code } =
      this
    // What is undefined is not shown; an object that is spread together takes several times as long.
    log.info('request', {
      id,
      client: client.address,
      method,
      host,
      path,
      target: target && formatTarget(target),
      agent,
      subject: principal?.subject,
      tokenId: principal?.tokenId,
      status,
      bytesIn,
      bytesOut,
      connected,
      reused,
      upgrade,
      code,
      frames: this.frames,
      routeMs: this.#at('opening'),
      openMs: this.#at('sent'),
      firstByteMs: this.#at('answering') ?? this.#at('upgraded'),
      totalMs: this.#at('done'),
    })
  }

  #at(progress: Progress): number | undefined {
    const ms = this.#reached[progress]
    return ms === undefined ? undefined : Math.round(ms * 100) / 100
  }
}
