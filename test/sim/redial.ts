/** The two ends of an exchange: each dials again after every loss, with the same waits each time, until stopped. */
import assert from 'node:assert/strict'
import { setMaxListeners } from 'node:events'
import type { Carrier } from '../../src/carrier/carrier.ts'
import { delay } from '../../src/clock.ts'
import { TunnelError } from '../../src/errors.ts'
import type { Initiator } from '../../src/mux/initiator.ts'
import { Link, type LinkOptions } from '../../src/mux/link.ts'
import { INSTANCE, type World } from '../support/world.ts'

/** Longer than the client's wait, so that the client comes while the agent is away. */
const AGENT_WAITS_MS = 100
const CLIENT_WAITS_MS = 80

export class Redial {
  running = 0
  readonly #world: World
  readonly #initiator: Initiator
  readonly #carrierOf: (role: 'connect' | 'agent') => Carrier
  readonly #stop = new AbortController()
  #wakeDetached: () => void = () => {}

  constructor(world: World, initiator: Initiator, carrierOf: (role: 'connect' | 'agent') => Carrier) {
    this.#world = world
    this.#initiator = initiator
    this.#carrierOf = carrierOf
    setMaxListeners(0, this.#stop.signal)
  }

  start(): void {
    for (const end of [this.#runAgent(), this.#runClient()]) {
      this.running++
      void end.then(() => this.running--)
    }
  }

  stop(): void {
    this.#stop.abort()
  }

  /** The session has lost its route. */
  detached(): void {
    this.#wakeDetached()
  }

  async #runAgent(): Promise<void> {
    const { acceptor } = this.#world
    await this.#dialForEver(
      'agent',
      AGENT_WAITS_MS,
      link => this.#endOf(link),
      (...attach) => acceptor.attach(...attach),
    )
  }

  async #runClient(): Promise<void> {
    await this.#dialForEver('connect', CLIENT_WAITS_MS, link => this.#ride(link))
  }

  async #dialForEver(
    role: 'connect' | 'agent',
    waitMs: number,
    use: (link: Link) => Promise<void>,
    onAttach?: LinkOptions['onAttach'],
  ): Promise<void> {
    const { clock } = this.#world
    const { signal } = this.#stop
    while (!signal.aborted) {
      try {
        const hello = { role, software: 'test', ...(role === 'agent' && { instance: INSTANCE }) }
        await use(await Link.greet(this.#carrierOf(role), { clock, hello, ...(onAttach && { onAttach }) }))
      } catch (thrown) {
        assert.ok(thrown instanceof TunnelError)
      }
      await delay(clock, waitMs, signal)
    }
  }

  /** Attaches the session over `link` whenever it is detached, until the link has ended. */
  async #ride(link: Link): Promise<void> {
    const { session } = this.#initiator
    const { signal } = this.#stop
    let ended = false
    void link.ended.then(() => {
      ended = true
    })
    while (!ended && !signal.aborted && session.state !== 'closed') {
      const detached = new Promise<void>(resolve => {
        this.#wakeDetached = resolve
      })
      try {
        if (session.state === 'detached') await this.#initiator.attach(link)
        await Promise.race([this.#endOf(link), detached])
      } catch (thrown) {
        assert.ok(thrown instanceof TunnelError)
        await Promise.race([link.ended, delay(this.#world.clock, CLIENT_WAITS_MS, signal)])
      }
    }
    link.close('done')
  }

  async #endOf(link: Link): Promise<void> {
    const { signal } = this.#stop
    const leave = () => link.close('done')
    signal.addEventListener('abort', leave, { once: true })
    await link.ended
    signal.removeEventListener('abort', leave)
  }
}
