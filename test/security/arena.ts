/** Real processes in whose midst something is done, and an honest client beside it that must not notice. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import type { TokenRequest } from '../../src/token/token.ts'
import { Baseline, Watch } from '../fuzz/oracle.ts'
import { dial, readExactly, serveEcho } from '../support/sockets.ts'
import { type Agent, type Connect, type Gateway, metricsOf, type Scope, Site, serviceArgs } from '../support/tunnel.ts'
import { RawPeer, type Role } from './raw.ts'

export interface ArenaOptions {
  readonly gatewayArgs?: readonly string[]
  readonly agentArgs?: readonly string[]
  /** Beside the echo, which is `echo/prod:7`: the port on loopback where each target's service is. */
  readonly services?: Readonly<Record<string, number>>
}

export const ECHO = 'echo/prod:7'
const ECHO_BYTES = 20_000

export class Arena {
  readonly site: Site
  readonly gateway: Gateway
  readonly agent: Agent
  readonly port: number
  readonly #connect: Connect
  readonly #bystander: Socket
  #baselines: readonly Baseline[] = []
  readonly #watches: readonly Watch[]
  readonly #guests: RawPeer[] = []
  #clients = 0

  private constructor(site: Site, gateway: Gateway, agent: Agent, connect: Connect, bystander: Socket) {
    this.site = site
    this.gateway = gateway
    this.agent = agent
    this.port = Number(gateway.address.split(':').at(-1))
    this.#connect = connect
    this.#bystander = bystander
    this.#watches = [gateway, agent, connect].map(({ process }) => new Watch(process))
  }

  static async start(scope: Scope, options: ArenaOptions = {}): Promise<Arena> {
    const { gatewayArgs = [], agentArgs = [], services = {} } = options
    const site = await Site.create(scope)
    const gateway = await site.gateway(gatewayArgs)
    const all = serviceArgs({ [ECHO]: await serveEcho(scope), ...services })
    // What ended without a word is kept for so long and no longer, so that all is soon as it was.
    const agent = await site.agent(gateway, [...all, '--detached-ttl', '200ms', ...agentArgs])
    const connect = await site.connect(gateway, [ECHO])
    const bystander = await dial(connect.port(ECHO))
    await exact(bystander)
    const arena = new Arena(site, gateway, agent, connect, bystander)
    await arena.settle()
    return arena
  }

  /** From now on all that is here belongs here. */
  async settle(): Promise<void> {
    this.#baselines = [
      await Baseline.take(this.gateway, ['agents', 'clients', 'sessions', 'queued_bytes']),
      await Baseline.take(this.agent, ['sessions', 'detached_sessions', 'streams', 'kept_bytes']),
    ]
  }

  /** A client by hand that has been welcomed. Each is somebody else, so that none has the limits of another. */
  async client(request: Partial<TokenRequest> = {}): Promise<RawPeer> {
    const token = await this.token('connect', { subject: `mallory ${++this.#clients}`, ...request })
    const guest = await RawPeer.greet(this.port, 'connect', token)
    this.#guests.push(guest)
    return guest
  }

  token(role: Role, request: Partial<TokenRequest> = {}): Promise<string> {
    return this.site.tokenText({ subject: 'mallory', ...request, role })
  }

  /** A figure of the agent. */
  async figure(name: string): Promise<number> {
    return (await metricsOf(this.agent)).get(name) ?? 0
  }

  /** The bystander's old connection and a new one echo every byte. */
  async others(): Promise<void> {
    await exact(this.#bystander)
    const fresh = await dial(this.#connect.port(ECHO))
    await exact(fresh)
    fresh.destroy()
  }

  /**
   * Nothing else has happened: the old connection of the bystander and a new one echo every byte, over the carrier that was
   * there from the beginning, the processes have nothing to regret, and when the guests are gone nothing is left of them.
   */
  async unharmed(): Promise<void> {
    for (const guest of this.#guests.splice(0)) guest.socket.end()
    await this.others()
    for (const baseline of this.#baselines) await baseline.returns()
    assert.deepEqual(
      this.#connect.events.filter(({ event }) => event === 'disconnected' || event === 'error'),
      [],
    )
    for (const watch of this.#watches) watch.look()
  }
}

/** What goes in comes back, byte for byte. */
async function exact(echo: Socket): Promise<void> {
  const bytes = randomBytes(ECHO_BYTES)
  echo.write(bytes)
  assert.ok((await readExactly(echo, bytes.length)).equals(bytes), 'the echo has changed')
}
