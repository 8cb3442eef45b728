/**
 * A tunnel on trial: its gateway can be killed, stopped and started again, each end can dial it through a toxic relay,
 * and afterwards nothing may be left over in any of the three processes.
 */
import assert from 'node:assert/strict'
import { Exchange } from './exchange.ts'
import { eventually, PATIENCE_MS, type Process } from './processes.ts'
import { dial, echoed, freePort, outcome, type Switchboard, serveByHand, serveEcho, within } from './sockets.ts'
import { ToxicRelay } from './toxics.ts'
import { type Agent, type Connect, type Gateway, metricsOf, type Scope, Site, serviceArgs } from './tunnel.ts'

export interface TrialOptions {
  /** Beside `echo/test:7`, and `hand/test:1` for exchanges. */
  readonly services?: Readonly<Record<string, number>>
  /** Seed of the relays; without it there are none. */
  readonly toxic?: number
}

/** Between an end and the gateway. */
export interface Relays {
  readonly connect: ToxicRelay
  readonly agent: ToxicRelay
}

const STATS_MS = 200

export class Trial {
  readonly connect: Connect
  readonly #site: Site
  readonly #agent: Agent
  readonly #hand: Switchboard
  readonly #relays: Relays | undefined
  readonly #address: string
  #gateway: Gateway
  /** Open descriptors of each process, when nothing was open. */
  #handles: readonly number[] = []

  private constructor(parts: {
    site: Site
    gateway: Gateway
    agent: Agent
    connect: Connect
    hand: Switchboard
    relays: Relays | undefined
    address: string
  }) {
    this.connect = parts.connect
    this.#site = parts.site
    this.#gateway = parts.gateway
    this.#agent = parts.agent
    this.#hand = parts.hand
    this.#relays = parts.relays
    this.#address = parts.address
  }

  static async start(scope: Scope, { services = {}, toxic }: TrialOptions = {}): Promise<Trial> {
    const hand = await serveByHand(scope)
    const all = { 'echo/test:7': await serveEcho(scope), 'hand/test:1': hand.port, ...services }
    const site = await Site.create(scope)
    const port = await freePort()
    const address = `127.0.0.1:${port}`
    const gateway = await site.gateway([], address)
    const relay = (seed: number) => ToxicRelay.start(scope, port, seed)
    const relays = toxic === undefined ? undefined : { connect: await relay(toxic), agent: await relay(toxic + 1) }
    const through = (end: keyof Relays) => ({ url: `ws://127.0.0.1:${relays?.[end].port ?? port}` })
    const agent = await site.agent(through('agent'), serviceArgs(all))
    const args = ['--stats-interval', `${STATS_MS}ms`]
    const connect = await site.connect(through('connect'), Object.keys(all), { args })
    const trial = new Trial({ site, gateway, agent, connect, hand, relays, address })
    const client = await dial(trial.port('echo/test:7'))
    await echoed(client, 'before')
    client.end()
    await outcome(client)
    await trial.#settle()
    trial.#handles = trial.#countHandles()
    return trial
  }

  get relays(): Relays {
    return this.#relays ?? assert.fail('there are no relays')
  }

  port(target: string): number {
    return this.connect.port(target)
  }

  /** A connection over which `totalBytes` go each way, as far as they are let. */
  async exchange(totalBytes: number): Promise<Exchange> {
    const [client, served] = await Promise.all([dial(this.port('hand/test:1')), this.#hand.accepted()])
    return new Exchange(client, served, totalBytes)
  }

  async killGateway(): Promise<void> {
    await this.#gateway.process.kill('SIGKILL')
  }

  async startGateway(): Promise<void> {
    this.#gateway = await this.#site.gateway([], this.#address)
  }

  /** SIGSTOP and SIGCONT. */
  signalGateway(signal: 'SIGSTOP' | 'SIGCONT'): void {
    process.kill(this.#gateway.process.pid, signal)
  }

  /** What comes next from connect, for `resumed`. */
  get now(): number {
    return this.connect.events.length
  }

  /** Resolves when the session is attached again after `since`, and has the length of the gap. */
  async resumed(since: number, withinMs = PATIENCE_MS): Promise<number> {
    const { gapMs } = await within(this.connect.process.event('resumed', undefined, since), 'resume', withinMs)
    return Number(gapMs)
  }

  /** Kills the gateway, starts it again, and waits until the session is attached again. */
  async restartGateway(): Promise<void> {
    const since = this.now
    await this.killGateway()
    await this.startGateway()
    await this.resumed(since)
  }

  /**
   * Nobody was told of a failure, the session is the first one still, and nothing is left over: no stream, no queue, no
   * carrier beside the newest, no descriptor. Then every process ends in order when it is asked to.
   */
  async survived(): Promise<void> {
    const told = this.connect.events.filter(
      ({ event, code }) => event === 'error' || (event === 'close' && code !== 'OK'),
    )
    assert.deepEqual(told, [], 'connect has told of failures')
    assert.equal(this.connect.events.filter(({ event }) => event === 'connected').length, 1, 'the session is another')
    await this.#settle()
    await eventually(
      () => this.#countHandles().every((count, index) => count <= (this.#handles[index] ?? 0)),
      () => `descriptors before: ${this.#handles.join(', ')}; now: ${this.#countHandles().join(', ')}`,
    )
    await this.#end()
  }

  async #settle(): Promise<void> {
    let seen: object = {}
    const look = async () => {
      const [agent, gateway] = await Promise.all([metricsOf(this.#agent), metricsOf(this.#gateway)])
      const streamsOpen = this.connect.events.findLast(({ event }) => event === 'stats')?.streamsOpen
      const relays = Object.values(this.#relays ?? {}).map(({ connections }) => connections)
      const ones = [
        agent.get('sessions'),
        ...['sessions', 'clients', 'agents'].map(name => gateway.get(name)),
        ...relays,
      ]
      const zeros = [agent.get('streams'), gateway.get('queued_bytes'), streamsOpen]
      seen = { ones, zeros }
      return ones.every(count => count === 1) && zeros.every(count => count === 0)
    }
    await eventually(look, () => `not settled: ${JSON.stringify(seen)}`)
  }

  async #end(): Promise<void> {
    assert.equal(await exitCode(this.connect.process, 'SIGINT'), 130, this.connect.process.describe())
    let left: unknown[] = []
    const nobody = async () => {
      const [agent, gateway] = await Promise.all([metricsOf(this.#agent), metricsOf(this.#gateway)])
      left = [agent.get('sessions'), gateway.get('sessions'), gateway.get('clients')]
      return left.every(count => count === 0)
    }
    await eventually(nobody, () => `left of connect: ${left.join(', ')}`)
    for (const { process: ending } of [this.#agent, this.#gateway]) {
      assert.equal(await exitCode(ending, 'SIGTERM'), 0, ending.describe())
    }
  }

  #countHandles(): number[] {
    return [this.connect, this.#agent, this.#gateway].map(({ process: { handles } }) => handles ?? 0)
  }
}

async function exitCode(ending: Process, signal: NodeJS.Signals): Promise<number | null> {
  process.kill(ending.pid, signal)
  return (await ending.finished()).code
}
