/** The two ends of a simulated world: both dial again after every loss, for ever. */
import { setMaxListeners } from 'node:events'
import { reconnect } from '../../src/carrier/reconnect.ts'
import { delay } from '../../src/clock.ts'
import type { TunnelError } from '../../src/errors.ts'
import type { Initiator } from '../../src/mux/initiator.ts'
import { type Path, principal, type World } from '../support/world.ts'
import type { Random } from './random.ts'
import { FAULTS_UNTIL_MS } from './trouble.ts'

export class Ends {
  readonly world: World
  readonly initiator: Initiator
  readonly log: string[] = []
  /** The carriers that each end has dialled last. */
  agent: Path | undefined
  client: Path | undefined
  running = 0
  readonly #random: Random
  readonly #stop = new AbortController()
  #wakeDetached: () => void = () => {}

  constructor(world: World, initiator: Initiator, random: Random) {
    this.world = world
    this.initiator = initiator
    this.#random = random
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

  note(what: string): void {
    this.log.push(`${Math.round(this.world.clock.now())} ms: ${what}`)
  }

  async #runAgent(): Promise<void> {
    const { clock } = this.world
    const dial = () => this.#dialed(this.world.dialAgent())
    for await (const path of reconnect({ clock, random: this.#random.next, signal: this.#stop.signal, dial })) {
      this.agent = path
      await this.endOf(path)
    }
  }

  async #runClient(): Promise<void> {
    const { clock } = this.world
    const dial = () => this.#dialed(this.world.dial(principal('connect')))
    for await (const path of reconnect({ clock, random: this.#random.next, signal: this.#stop.signal, dial })) {
      this.client = path
      let ended = false
      void path.link.ended.then(() => {
        ended = true
      })
      while (!ended && !this.#stop.signal.aborted && this.initiator.session.state !== 'closed') {
        const detached = new Promise<void>(resolve => {
          this.#wakeDetached = resolve
        })
        try {
          // Another carrier may have it already.
          if (this.initiator.session.state === 'detached') await this.initiator.attach(path.link)
          if (this.initiator.session.state === 'live') await Promise.race([this.endOf(path), detached])
        } catch (thrown) {
          this.note(`attach failed: ${(thrown as TunnelError).code}`)
          await Promise.race([path.link.ended, delay(clock, this.#random.below(300), this.#stop.signal)])
        }
      }
      path.link.close('done')
    }
  }

  async endOf(path: Path): Promise<void> {
    const { signal } = this.#stop
    const leave = () => path.link.close('done')
    signal.addEventListener('abort', leave, { once: true })
    await path.link.ended
    signal.removeEventListener('abort', leave)
  }

  async #dialed(path: Promise<Path>): Promise<Path> {
    const faulty = this.world.clock.now() < FAULTS_UNTIL_MS && this.#random.chance(0.2)
    const dialled = await path
    if (faulty) dialled.carriers.cut()
    return dialled
  }
}
