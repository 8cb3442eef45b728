/**
 * One world from one seed: several clients, one or two gateways, an agent or several, and connections that write, read,
 * half-close and reset at random, while carriers are cut, frozen and swallowed, machines sleep, gateways are killed and drain.
 * Everything but the carriers and the clock is the product's own. What must hold is checked after every step.
 */
import type { Socket } from 'node:net'
import { delay } from '../../src/clock.ts'
import { TunnelError } from '../../src/errors.ts'
import type { SessionLimits } from '../../src/mux/limits.ts'
import { settled, VirtualClock } from '../support/clock.ts'
import { type EndOptions, SimAgent, SimClient } from './ends.ts'
import { Network } from './network.ts'
import { Party } from './party.ts'
import { type Plan, planStreams } from './plan.ts'
import { Random } from './random.ts'
import { MemorySocket } from './socket.ts'
import { FAULTS_UNTIL_MS, HEARTBEAT_DEAD_MS, planTrouble } from './trouble.ts'

/** After the last fault: stalls are noticed, attaches time out, backoff, and all the data. */
const REST_MS = 120_000
/** What was under way ends, and whoever was superseded learns it. */
const IDLE_MS = HEARTBEAT_DEAD_MS
const DETACHED_TTL_MS = 120_000
/** ACK, PING and DETACH are not counted as in flight. */
const CONTROL_BYTES = 4 * 1024

/** What a stream may be told when its session was lost, beside what it was going to be told anyway. */
const lossCodes: ReadonlySet<string> = new Set([
  'NOT_FOUND',
  'SESSION_CLOSED',
  'GONE',
  'DRAINING',
  'PEER_RESET',
  'AGENT_UNAVAILABLE',
  'GATEWAY_UNREACHABLE',
])

export class Simulation {
  /** What was done to it, for whoever looks into a failure. */
  readonly log: string[] = []
  readonly #seed: number
  readonly #random: Random
  /** Many large transfers at once: about full buffers rather than about time. */
  readonly #heavy: boolean
  /** Agents end, and sessions with them. */
  readonly #lossy: boolean
  readonly #clock = new VirtualClock()
  readonly #limits: SessionLimits
  readonly #network: Network
  readonly #clients: SimClient[] = []
  readonly #agents: SimAgent[] = []
  readonly #plans = new Map<string, Plan>()
  readonly #near = new Map<string, Party>()
  readonly #far = new Map<string, Party>()
  readonly #dials = new Map<string, number>()
  #failure: string | undefined

  constructor(seed: number) {
    this.#seed = seed
    const random = new Random(seed)
    this.#random = random
    this.#heavy = random.chance(0.2)
    this.#lossy = random.chance(0.2)
    this.#limits = {
      maxInflightBytes: this.#heavy ? 512 * 1024 : random.pick([512 * 1024, 1024 * 1024, 8 * 1024 * 1024]),
      maxStreams: 100,
      windowBudgetBytes: random.pick([0, 1024 * 1024, 64 * 1024 * 1024]),
    }
    this.#network = new Network(this.#clock, random, {
      gateways: random.pick([1, 1, 2]),
      latencyMs: random.pick(this.#heavy ? [5, 40] : [0, 1, 5, 40]),
    })
    const clients = this.#heavy ? 1 : random.pick([1, 1, 2, 3])
    for (let index = 0; index < clients; index++) this.#clients.push(new SimClient(this.#end(`client-${index}`)))
  }

  /** Resolves with what went wrong, or undefined. */
  async run(): Promise<string | undefined> {
    this.#startAgent()
    await this.#until(1_000, () => false)
    for (const client of this.#clients) client.start()
    await this.#until(20_000, () => this.#clients.every(({ connected }) => connected))
    const begun = this.#clock.now()
    for (const [index, client] of this.#clients.entries()) {
      for (const plan of planStreams(this.#random, this.#heavy)) {
        const name = `c${index}-${plan.name}`
        this.#plans.set(name, plan)
        this.#clock.after(plan.openAtMs, () => this.#open(client, name, plan))
      }
    }
    this.#network.open(0.2)
    this.#planTrouble()
    await this.#until(begun + FAULTS_UNTIL_MS, () => false)
    this.#network.trouble = 0
    await this.#until(begun + FAULTS_UNTIL_MS + REST_MS, () => this.#allDone)
    this.#checkStreams()
    await this.#until(this.#clock.now() + IDLE_MS, () => false)
    await this.#until(begun + FAULTS_UNTIL_MS + REST_MS, () => this.#allServe)
    this.#checkIdle()
    await this.#wind()
    return this.#failure
  }

  async #wind(): Promise<void> {
    for (const client of this.#clients) client.stop()
    // A session that its client has given up expires at the agent.
    await this.#until(this.#clock.now() + DETACHED_TTL_MS + HEARTBEAT_DEAD_MS, () => false)
    for (const [name, { closed }] of this.#far) if (!closed) this.#fail(`${name}: the service's end never closed`)
    for (const agent of this.#agents) {
      if (agent.running && agent.gauge('sessions') > 0)
        this.#fail(`${agent.name} holds ${agent.gauge('sessions')} sessions`)
      agent.stop()
    }
    await this.#until(this.#clock.now() + 10_000, () => false)
    this.#checkEmpty()
  }

  #end(name: string): EndOptions {
    return {
      name,
      clock: this.#clock,
      network: this.#network,
      random: new Random(this.#random.below(2 ** 31)),
      limits: this.#limits,
      detachedTtlMs: DETACHED_TTL_MS,
      note: what => this.#note(what),
    }
  }

  #startAgent(): void {
    const agent = new SimAgent(this.#end(`agent-${this.#agents.length}`), (name, signal) => this.#serve(name, signal))
    this.#agents.push(agent)
    agent.start()
  }

  #planTrouble(): void {
    const { agents, clients } = { agents: this.#agents, clients: this.#clients }
    const scene = {
      clients,
      get agents() {
        return agents.filter(({ running }) => running)
      },
      network: this.#network,
      after: (ms: number, task: () => void) => void this.#clock.after(ms, task),
      note: (what: string) => this.#note(what),
      startAgent: () => this.#startAgent(),
    }
    planTrouble(scene, this.#random, this.#lossy)
  }

  #note(what: string): void {
    this.log.push(`${Math.round(this.#clock.now())} ms: ${what}`)
  }

  /** Keeps the first failure: the later ones follow from it. */
  #fail(message: string): void {
    this.#failure ??= `${Math.round(this.#clock.now())} ms: ${message}`
  }

  async #until(end: number, done: () => boolean): Promise<void> {
    while (this.#failure === undefined && !done()) {
      await settled()
      this.#checkStep()
      if (!this.#clock.turn() && !this.#clock.fire(end)) return
    }
  }

  #open(client: SimClient, name: string, plan: Plan): void {
    if (!client.running) return this.#fail(`${client.name} has ended`)
    const stream = client.uplink.open({ service: name, namespace: 'prod', port: 80, protocol: 'tcp' })
    if (plan.resetBy === 'client') {
      const reset = () => stream.reset(new TunnelError('IDLE', 'reset on purpose'))
      this.#clock.after(plan.resetAfterMs, reset)
    }
    this.#near.set(name, this.#party(name, plan, stream, 'client'))
  }

  async #serve(name: string, signal: AbortSignal): Promise<Socket> {
    const plan = this.#plans.get(name)
    this.#dials.set(name, (this.#dials.get(name) ?? 0) + 1)
    await delay(this.#clock, plan?.dialMs ?? 0, signal)
    if (signal.aborted) throw signal.reason
    if (plan === undefined || plan.refused) throw new TunnelError('REFUSED', 'refused')
    const [agents, own] = MemorySocket.pair()
    if (plan.resetBy === 'service') this.#clock.after(plan.resetAfterMs, () => own.resetAndDestroy())
    this.#far.set(name, this.#party(name, plan, own, 'service'))
    return agents as unknown as Socket
  }

  #party(
    name: string,
    plan: Plan,
    stream: ConstructorParameters<typeof Party>[0]['stream'],
    side: 'client' | 'service',
  ) {
    const up = { key: `${this.#seed} ${name} up`, bytes: plan.upBytes }
    const down = { key: `${this.#seed} ${name} down`, bytes: plan.downBytes }
    return new Party({
      name: `${name} ${side}`,
      stream,
      clock: this.#clock,
      random: new Random(this.#random.below(2 ** 31)),
      hasty: this.#heavy,
      sends: side === 'client' ? up : down,
      receives: side === 'client' ? down : up,
      fail: message => this.#fail(message),
    })
  }

  // What must hold.

  get #allServe(): boolean {
    return this.#clients.every(({ uplink }) => uplink.serves)
  }

  get #allDone(): boolean {
    if (this.#near.size < this.#plans.size || !this.#allServe) return false
    return [...this.#near.values(), ...this.#far.values()].every(({ closed }) => closed)
  }

  #checkStep(): void {
    const { maxInflightBytes } = this.#limits
    for (const { name, uplink } of this.#clients) {
      const kept = uplink.session?.keptBytes ?? 0
      if (kept > maxInflightBytes) this.#fail(`${name} keeps ${kept} bytes of ${maxInflightBytes}`)
    }
    for (const agent of this.#agents) {
      const kept = agent.gauge('kept_bytes')
      if (kept > maxInflightBytes * agent.gauge('sessions')) this.#fail(`${agent.name} keeps ${kept} bytes`)
    }
    for (const { relay, overloads } of this.#network.gateways) {
      if (overloads > 0) this.#fail('a gateway was overloaded')
      for (const hop of relay.hops) {
        for (const { queuedBytes } of hop.legs.values()) {
          if (queuedBytes > maxInflightBytes + CONTROL_BYTES) this.#fail(`a gateway queues ${queuedBytes} bytes`)
        }
      }
    }
    for (const party of this.#near.values()) party.check()
    for (const party of this.#far.values()) party.check()
  }

  #checkStreams(): void {
    for (const { name, running, losses } of this.#clients) {
      if (!running) this.#fail(`${name} has ended`)
      if (!this.#lossy && losses.length > 0) this.#fail(`${name} lost its session: ${losses[0]?.message}`)
    }
    for (const [name, plan] of this.#plans) this.#checkStream(name, plan)
  }

  #checkStream(name: string, { refused, resetBy }: Plan): void {
    const near = this.#near.get(name)
    const far = this.#far.get(name)
    const dials = this.#dials.get(name) ?? 0
    if (near === undefined || !near.closed) return this.#fail(`${name}: the client's end never closed`)
    // An agent that its client has given up keeps the session for its time.
    if (far !== undefined && !far.closed && !this.#lossy) return this.#fail(`${name}: the service's end never closed`)
    if (dials > 1) this.#fail(`${name}: dialled ${dials} times`)
    const code = near.error?.code
    // As with TCP, an end in order says nothing of what the other side has read yet.
    if (this.#lossy && (near.complete || (code !== undefined && lossCodes.has(code)))) return
    if (refused) {
      if (code !== 'REFUSED' && resetBy !== 'client') this.#fail(`${name}: refused, but the client saw ${code}`)
      return
    }
    if (near.complete && far?.complete) {
      if (dials !== 1) this.#fail(`${name}: dialled ${dials} times`)
      return
    }
    if (resetBy === undefined) this.#fail(`${name}: ${near.error ?? far?.error ?? 'not complete'}`)
    const expected = resetBy === 'client' ? 'IDLE' : 'PEER_RESET'
    if (code !== undefined && code !== expected) this.#fail(`${name}: reset with ${code}`)
  }

  #checkIdle(): void {
    for (const { name, uplink } of this.#clients) {
      if (!uplink.serves) this.#fail(`${name} is ${uplink.state.name} in the end`)
      if (uplink.hold.size > 0) this.#fail(`${name} holds ${uplink.hold.size}`)
      const { streams, keptBytes } = uplink.session ?? {}
      if (streams?.size !== 0) this.#fail(`${name} has ${streams?.size} streams`)
      if (keptBytes !== 0) this.#fail(`${name}: ${keptBytes} bytes were never acknowledged`)
    }
    for (const agent of this.#lossy ? [] : this.#agents) {
      if (agent.gauge('streams') > 0) this.#fail(`${agent.name} has ${agent.gauge('streams')} streams`)
    }
    const legs = this.#network.gateways.reduce((sum, gateway) => sum + gateway.legs, 0)
    if (legs !== 2 * this.#clients.length) this.#fail(`${legs} routes for ${this.#clients.length} sessions`)
  }

  #checkEmpty(): void {
    for (const { name, running } of [...this.#clients, ...this.#agents]) if (running) this.#fail(`${name} still runs`)
    for (const { relay, reception } of this.#network.gateways) {
      if (reception.carriers > 0) this.#fail(`a gateway has ${reception.carriers} carriers`)
      if (relay.registry.size > 0) this.#fail('a gateway knows an agent')
    }
    if (this.#clock.timers > 0) this.#fail(`${this.#clock.timers} timers are left`)
  }
}
