/**
 * One world from one seed: connections that write, read, half-close and reset at random, while carriers are cut, frozen
 * and lost, the gateway is killed and the agent registers again. What must hold is checked after every step.
 */
import { setMaxListeners } from 'node:events'
import { reconnect } from '../../src/carrier/reconnect.ts'
import { delay } from '../../src/clock.ts'
import { TunnelError } from '../../src/errors.ts'
import type { Initiator } from '../../src/mux/initiator.ts'
import type { SessionLimits } from '../../src/mux/session.ts'
import type { Stream } from '../../src/mux/stream.ts'
import { settled } from '../support/clock.ts'
import { type Path, principal, World } from '../support/world.ts'
import { Party } from './party.ts'
import { Random } from './random.ts'

const FAULTS_UNTIL_MS = 6_000
/** After the last fault: a black hole is noticed, an attach times out, backoff, and all the data. */
const REST_MS = 180_000
const HEARTBEAT_DEAD_MS = 40_000
/** ACK, PING and DETACH are not counted as in flight. */
const CONTROL_BYTES = 4 * 1024

interface Plan {
  readonly name: string
  readonly openAtMs: number
  readonly upBytes: number
  readonly downBytes: number
  readonly dialMs: number
  readonly refused: boolean
  readonly resetBy: 'client' | 'service' | undefined
  readonly resetAfterMs: number
}

export class Simulation {
  readonly #seed: number
  readonly #random: Random
  readonly #world: World
  readonly #initiator: Initiator
  readonly #limits: SessionLimits
  readonly #stop = new AbortController()
  readonly #plans = new Map<string, Plan>()
  readonly #clients = new Map<string, Party>()
  readonly #services = new Map<string, Party>()
  readonly #dials = new Map<string, number>()
  #clientPath: Path | undefined
  #agentPath: Path | undefined
  #wakeDetached: () => void = () => {}
  #ending = false
  #failure: string | undefined
  readonly log: string[] = []

  constructor(seed: number) {
    this.#seed = seed
    const random = new Random(seed)
    this.#random = random
    this.#limits = {
      maxInflightBytes: random.pick([512 * 1024, 1024 * 1024, 8 * 1024 * 1024]),
      maxStreams: 100,
      windowBudgetBytes: random.pick([0, 1024 * 1024, 64 * 1024 * 1024]),
    }
    this.#world = new World({
      latencyMs: random.pick([0, 1, 5, 40]),
      acceptor: { limits: this.#limits, onOpen: (stream, open) => this.#serve(stream, String(open.json.service)) },
    })
    this.#initiator = this.#world.initiator({
      limits: this.#limits,
      pingIntervalMs: 500,
      onDetached: () => this.#wakeDetached(),
      onClosed: error => {
        if (!this.#ending) this.#fail(`the session ended: ${error.code} ${error.message}`)
      },
    })
  }

  /** Resolves with what went wrong, or undefined. */
  async run(): Promise<string | undefined> {
    setMaxListeners(0, this.#stop.signal)
    let running = 2
    const ended = () => running--
    void this.#runAgent().then(ended)
    void this.#runClient().then(ended)
    this.#planStreams()
    this.#planFaults()
    await this.#until(FAULTS_UNTIL_MS, () => false)
    await this.#until(FAULTS_UNTIL_MS + REST_MS, () => this.#allDone)
    this.#checkStreams()
    await this.#until(FAULTS_UNTIL_MS + 2 * HEARTBEAT_DEAD_MS, () => false)
    this.#checkIdle()
    this.#ending = true
    this.#initiator.session.close(new TunnelError('SESSION_CLOSED', 'done'), true)
    await this.#until(this.#world.clock.now() + 5_000, () => false)
    this.#stop.abort()
    await this.#until(this.#world.clock.now() + 60_000, () => false)
    if (running > 0) this.#fail(`${running} ends still run`)
    this.#checkEmpty()
    return this.#failure
  }

  /** Keeps the first failure: the later ones follow from it. */
  #fail(message: string): void {
    this.#failure ??= `${Math.round(this.#world.clock.now())} ms: ${message}`
  }

  async #until(end: number, done: () => boolean): Promise<void> {
    const { clock } = this.#world
    while (this.#failure === undefined && !done()) {
      await settled()
      this.#checkStep()
      if (!clock.turn() && !clock.fire(end)) return
    }
  }

  #planStreams(): void {
    const random = this.#random
    const heavy = random.chance(0.2)
    const sizes = heavy ? [1_000_000] : [1, 100, 20_000, 200_000, 400_000]
    const bytes = () => random.below(random.pick(sizes))
    const count = heavy ? 8 : 1 + random.below(8)
    for (let index = 0; index < count; index++) {
      const plan: Plan = {
        name: `s${index}`,
        openAtMs: random.below(heavy ? 100 : 4_000),
        upBytes: bytes(),
        downBytes: bytes(),
        dialMs: random.below(random.chance(0.2) ? 1_000 : 20),
        refused: random.chance(0.1),
        resetBy: random.pick([undefined, undefined, undefined, undefined, undefined, undefined, 'client', 'service']),
        resetAfterMs: random.below(2_000),
      }
      this.#plans.set(plan.name, plan)
      this.#world.clock.after(plan.openAtMs, () => this.#open(plan))
    }
  }

  #open(plan: Plan): void {
    const target = { service: plan.name, namespace: 'prod', port: 80, protocol: 'tcp' }
    const stream = this.#initiator.session.open(target)
    this.#clients.set(plan.name, this.#party(plan, stream, 'client'))
  }

  #serve(stream: Stream, name: string): void {
    const plan = this.#plans.get(name)
    if (plan === undefined) return this.#fail(`the agent was asked for ${name}`)
    this.#dials.set(name, (this.#dials.get(name) ?? 0) + 1)
    this.#world.clock.after(plan.dialMs, () => {
      if (plan.refused) return stream.reset(new TunnelError('REFUSED', 'refused'))
      stream.accept(80)
      this.#services.set(name, this.#party(plan, stream, 'service'))
    })
  }

  #party(plan: Plan, stream: Stream, side: 'client' | 'service'): Party {
    const up = { key: `${this.#seed} ${plan.name} up`, bytes: plan.upBytes }
    const down = { key: `${this.#seed} ${plan.name} down`, bytes: plan.downBytes }
    const { clock } = this.#world
    if (plan.resetBy === side) {
      clock.after(plan.resetAfterMs, () => stream.reset(new TunnelError('IDLE', 'reset on purpose')))
    }
    return new Party({
      name: `${plan.name} ${side}`,
      stream,
      clock,
      random: new Random(this.#random.below(2 ** 31)),
      sends: side === 'client' ? up : down,
      receives: side === 'client' ? down : up,
      fail: message => this.#fail(message),
    })
  }

  // The ends, which come back after every loss.

  async #runAgent(): Promise<void> {
    const { clock } = this.#world
    const dial = () => this.#dialed(this.#world.dialAgent())
    for await (const path of reconnect({ clock, random: this.#random.next, signal: this.#stop.signal, dial })) {
      this.#agentPath = path
      await this.#endOf(path)
    }
  }

  async #runClient(): Promise<void> {
    const { clock } = this.#world
    const dial = () => this.#dialed(this.#world.dial(principal('connect')))
    for await (const path of reconnect({ clock, random: this.#random.next, signal: this.#stop.signal, dial })) {
      this.#clientPath = path
      let ended = false
      void path.link.ended.then(() => {
        ended = true
      })
      while (!ended && !this.#stop.signal.aborted && this.#initiator.session.state !== 'closed') {
        const detached = new Promise<void>(resolve => {
          this.#wakeDetached = resolve
        })
        try {
          // Another carrier may have it already.
          if (this.#initiator.session.state === 'detached') await this.#initiator.attach(path.link)
          if (this.#initiator.session.state === 'live') await Promise.race([this.#endOf(path), detached])
        } catch (thrown) {
          this.#note(`attach failed: ${(thrown as TunnelError).code}`)
          await Promise.race([path.link.ended, delay(clock, this.#random.below(300), this.#stop.signal)])
        }
      }
      path.link.close('done')
    }
  }

  async #endOf(path: Path): Promise<void> {
    const { signal } = this.#stop
    const leave = () => path.link.close('done')
    signal.addEventListener('abort', leave, { once: true })
    await path.link.ended
    signal.removeEventListener('abort', leave)
  }

  async #dialed(path: Promise<Path>): Promise<Path> {
    const faulty = this.#world.clock.now() < FAULTS_UNTIL_MS && this.#random.chance(0.2)
    const dialled = await path
    if (faulty) dialled.carriers.cut()
    return dialled
  }

  // Trouble.

  #planFaults(): void {
    const faults = [
      this.#cut,
      this.#cut,
      this.#freeze,
      this.#freeze,
      this.#blackhole,
      this.#killGateway,
      this.#registerAgain,
      this.#handOver,
      this.#handOver,
      this.#handOver,
    ]
    const count = this.#random.below(13)
    for (let index = 0; index < count; index++) {
      const fault = this.#random.pick(faults)
      this.#world.clock.after(this.#random.below(FAULTS_UNTIL_MS), () => fault.call(this))
    }
  }

  get #anyPath(): Path | undefined {
    return this.#random.chance(0.5) ? this.#clientPath : this.#agentPath
  }

  #cut(): void {
    this.#note('cut')
    this.#anyPath?.carriers.cut()
  }

  #freeze(): void {
    this.#note('freeze')
    const path = this.#anyPath
    path?.carriers.freeze()
    this.#world.clock.after(this.#random.below(this.#random.pick([200, 2_000, 15_000])), () => path?.carriers.thaw())
  }

  #blackhole(): void {
    this.#note('black hole')
    const path = this.#anyPath
    path?.carriers.blackhole()
    this.#world.clock.after(HEARTBEAT_DEAD_MS, () => path?.carriers.cut())
  }

  #killGateway(): void {
    this.#note('gateway killed')
    this.#world.killGateway()
  }

  /** The agent dials again while its old carrier lives: the newer one takes its place. */
  #registerAgain(): void {
    this.#note('agent registers again')
    void this.#world.dialAgent().then(
      path => this.#endOf(path),
      () => {},
    )
  }

  /** The client attaches over a second carrier while the first one lives. */
  #handOver(): void {
    this.#note('hand over')
    const { clock } = this.#world
    this.#world
      .dial(principal('connect'))
      .then(
        async path => {
          clock.after(this.#random.below(HEARTBEAT_DEAD_MS), () => path.carriers.cut())
          await this.#initiator.attach(path.link)
          await path.link.ended
        },
        () => {},
      )
      .catch(() => {})
  }

  // What must hold.

  get #allDone(): boolean {
    if (this.#clients.size < this.#plans.size || this.#initiator.session.state !== 'live') return false
    return [...this.#clients.values(), ...this.#services.values()].every(({ closed }) => closed)
  }

  #checkStep(): void {
    const { maxInflightBytes } = this.#limits
    const kept = this.#initiator.session.keptBytes
    if (kept > maxInflightBytes) this.#fail(`the client keeps ${kept} bytes of ${maxInflightBytes}`)
    for (const hop of this.#world.gateway.relay.hops) {
      for (const leg of hop.legs.values()) {
        if (leg.queuedBytes > maxInflightBytes + CONTROL_BYTES) this.#fail(`the gateway queues ${leg.queuedBytes} bytes`)
      }
    }
    if (this.#world.gateway.overloads > 0) this.#fail('the gateway was overloaded')
    for (const stream of this.#initiator.session.streams.values()) {
      if (stream.readableLength > stream.windowBytes + 16 * 1024 * 1024) this.#fail('a window was exceeded')
    }
  }

  #checkStreams(): void {
    for (const { name, refused, resetBy } of this.#plans.values()) {
      const client = this.#clients.get(name)
      const service = this.#services.get(name)
      const dials = this.#dials.get(name) ?? 0
      if (client === undefined || !client.closed) {
        this.#fail(
          `${name}: the client's end never closed (${client?.received} bytes, ${this.#initiator.session.state})`,
        )
        continue
      }
      if (dials > 1) this.#fail(`${name}: dialled ${dials} times`)
      if (refused) {
        const code = client.error?.code
        if (code !== 'REFUSED' && resetBy !== 'client') this.#fail(`${name}: refused, but the client saw ${code}`)
        continue
      }
      if (client.complete && service?.complete) {
        if (dials !== 1) this.#fail(`${name}: dialled ${dials} times`)
        continue
      }
      if (resetBy === undefined) this.#fail(`${name}: ${client.error ?? service?.error ?? 'not complete'}`)
      for (const { error } of [client, service ?? client]) {
        if (error !== undefined && error.code !== 'IDLE') this.#fail(`${name}: reset with ${error.code}`)
      }
    }
  }

  #checkIdle(): void {
    const { session } = this.#initiator
    if (session.streams.size > 0) this.#fail(`the client holds ${session.streams.size} streams`)
    if (this.#world.acceptor.streams > 0) this.#fail(`the agent holds ${this.#world.acceptor.streams} streams`)
    if (session.state !== 'live') this.#fail(`the session is ${session.state} in the end`)
    if (session.keptBytes > 0) this.#fail(`${session.keptBytes} bytes were never acknowledged`)
    const { legs } = this.#world.gateway
    if (legs !== 2) this.#fail(`${legs} routes at the gateway for one session`)
  }

  #checkEmpty(): void {
    const { acceptor, gateway, clock } = this.#world
    if (acceptor.sessions > 0) this.#fail(`the agent holds ${acceptor.sessions} sessions`)
    if (gateway.relay.hops.size > 0) this.#fail(`the gateway holds ${gateway.relay.hops.size} carriers`)
    if (gateway.relay.registry.size > 0) this.#fail('the gateway holds an agent')
    if (clock.timers > 0) this.#fail(`${clock.timers} timers are left`)
  }

  #note(what: string): void {
    this.log.push(`${Math.round(this.#world.clock.now())} ms: ${what}`)
  }
}
