/**
 * One world from one seed: connections that write, read, half-close and reset at random, while carriers are cut, frozen
 * and lost, the gateway is killed and the agent registers again. What must hold is checked after every step.
 */
import { TunnelError } from '../../src/errors.ts'
import type { Initiator } from '../../src/mux/initiator.ts'
import type { SessionLimits } from '../../src/mux/limits.ts'
import type { Stream } from '../../src/mux/stream.ts'
import { settled } from '../support/clock.ts'
import { World } from '../support/world.ts'
import { Ends } from './ends.ts'
import { Party } from './party.ts'
import { type Plan, planStreams } from './plan.ts'
import { Random } from './random.ts'
import { FAULTS_UNTIL_MS, HEARTBEAT_DEAD_MS, planTrouble } from './trouble.ts'

/** After the last fault: a black hole is noticed, an attach times out, backoff, and all the data. */
const REST_MS = 180_000
/** ACK, PING and DETACH are not counted as in flight. */
const CONTROL_BYTES = 4 * 1024

export class Simulation {
  readonly #seed: number
  readonly #random: Random
  readonly #heavy: boolean
  readonly #world: World
  readonly #initiator: Initiator
  readonly #limits: SessionLimits
  readonly #ends: Ends
  readonly #plans = new Map<string, Plan>()
  readonly #clients = new Map<string, Party>()
  readonly #services = new Map<string, Party>()
  readonly #dials = new Map<string, number>()
  #ending = false
  #failure: string | undefined

  constructor(seed: number) {
    this.#seed = seed
    const random = new Random(seed)
    this.#random = random
    // One world in five is about full buffers rather than about time.
    this.#heavy = random.chance(0.2)
    this.#limits = {
      maxInflightBytes: this.#heavy ? 512 * 1024 : random.pick([512 * 1024, 1024 * 1024, 8 * 1024 * 1024]),
      maxStreams: 100,
      windowBudgetBytes: random.pick([0, 1024 * 1024, 64 * 1024 * 1024]),
    }
    this.#world = new World({
      latencyMs: random.pick(this.#heavy ? [5, 40] : [0, 1, 5, 40]),
      acceptor: { limits: this.#limits, onOpen: (stream, open) => this.#serve(stream, String(open.json.service)) },
    })
    this.#initiator = this.#world.initiator({
      limits: this.#limits,
      pingIntervalMs: 2_000,
      onDetached: () => this.#ends.detached(),
      onClosed: error => {
        if (!this.#ending) this.#fail(`the session ended: ${error.code} ${error.message}`)
      },
    })
    this.#ends = new Ends(this.#world, this.#initiator, random)
  }

  /** What was done to it, for whoever looks into a failure. */
  get log(): readonly string[] {
    return this.#ends.log
  }

  /** Resolves with what went wrong, or undefined. */
  async run(): Promise<string | undefined> {
    this.#ends.start()
    for (const plan of planStreams(this.#random, this.#heavy)) {
      this.#plans.set(plan.name, plan)
      this.#world.clock.after(plan.openAtMs, () => this.#open(plan))
    }
    planTrouble(this.#ends, this.#random)
    await this.#until(FAULTS_UNTIL_MS, () => false)
    await this.#until(FAULTS_UNTIL_MS + REST_MS, () => this.#allDone)
    this.#checkStreams()
    await this.#until(FAULTS_UNTIL_MS + 2 * HEARTBEAT_DEAD_MS, () => false)
    this.#checkIdle()
    this.#ending = true
    this.#initiator.session.close(new TunnelError('SESSION_CLOSED', 'done'), true)
    await this.#until(this.#world.clock.now() + 5_000, () => false)
    this.#ends.stop()
    // A session that was given up before it was known to exist expires at the agent.
    await this.#until(this.#world.clock.now() + 11 * 60_000, () => false)
    if (this.#ends.running > 0) this.#fail(`${this.#ends.running} ends still run`)
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
      hasty: this.#heavy,
      sends: side === 'client' ? up : down,
      receives: side === 'client' ? down : up,
      fail: message => this.#fail(message),
    })
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
        if (leg.queuedBytes > maxInflightBytes + CONTROL_BYTES)
          this.#fail(`the gateway queues ${leg.queuedBytes} bytes`)
      }
    }
    if (this.#world.gateway.overloads > 0) this.#fail('the gateway was overloaded')
    for (const party of this.#clients.values()) party.check()
    for (const party of this.#services.values()) party.check()
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
}
