/** A tunnel whose gateway and agent can be stopped and started again where they were. */
import { dial, echoed, freePort, type Switchboard, serveByHand, serveEcho } from './sockets.ts'
import { type Agent, type Connect, type Gateway, type Scope, Site, serviceArgs } from './tunnel.ts'

export interface RestartOptions {
  readonly gatewayArgs?: readonly string[]
  readonly agentArgs?: readonly string[]
  readonly connectArgs?: readonly string[]
}

export const ECHO = 'echo/test:7'
/** Its connections are taken one by one, by `hand.accepted()`. */
export const HAND = 'hand/test:1'

export class Restarts {
  readonly site: Site
  readonly hand: Switchboard
  readonly connectToken: string
  readonly #options: RestartOptions
  readonly #at: string
  readonly #agentToken: string
  readonly #services: Readonly<Record<string, number>>
  #parts: { readonly gateway: Gateway; readonly agent: Agent; readonly connect: Connect } | undefined

  private constructor(
    site: Site,
    hand: Switchboard,
    echoPort: number,
    at: string,
    tokens: { agent: string; connect: string },
    options: RestartOptions,
  ) {
    this.site = site
    this.hand = hand
    this.connectToken = tokens.connect
    this.#options = options
    this.#at = at
    this.#agentToken = tokens.agent
    this.#services = { [ECHO]: echoPort, [HAND]: hand.port }
  }

  static async begin(scope: Scope, options: RestartOptions = {}): Promise<Restarts> {
    const [hand, echoPort] = [await serveByHand(scope), await serveEcho(scope)]
    const site = await Site.create(scope)
    const tokens = { agent: await site.token({ role: 'agent' }), connect: await site.token({ role: 'connect' }) }
    const restarts = new Restarts(site, hand, echoPort, `127.0.0.1:${await freePort()}`, tokens, options)
    const gateway = await restarts.#newGateway()
    const agent = await restarts.newAgent(gateway)
    restarts.#parts = { gateway, agent, connect: await restarts.newConnect(gateway) }
    return restarts
  }

  get gateway(): Gateway {
    return this.#all.gateway
  }

  get agent(): Agent {
    return this.#all.agent
  }

  get connect(): Connect {
    return this.#all.connect
  }

  get #all() {
    if (this.#parts === undefined) throw new Error('it has not begun')
    return this.#parts
  }

  /** Another one at the same address, which must be free. */
  async startGateway(): Promise<void> {
    this.#parts = { ...this.#all, gateway: await this.#newGateway() }
  }

  async startAgent(): Promise<void> {
    this.#parts = { ...this.#all, agent: await this.newAgent(this.gateway) }
  }

  #newGateway(): Promise<Gateway> {
    return this.site.gateway(this.#options.gatewayArgs, this.#at)
  }

  /** Of the same name and with the same token. */
  newAgent(gateway: Gateway = this.gateway, services: Readonly<Record<string, number>> = {}): Promise<Agent> {
    const args = [...serviceArgs({ ...this.#services, ...services }), ...(this.#options.agentArgs ?? [])]
    return this.site.agent(gateway, args, this.#agentToken)
  }

  newConnect(gateway: Gateway = this.gateway): Promise<Connect> {
    const { connectArgs: args = [] } = this.#options
    return this.site.connect(gateway, Object.keys(this.#services), { args, tokenFile: this.connectToken })
  }

  /** A connection through the tunnel to the echo, which works. */
  async echo(connect = this.connect) {
    const client = await dial(connect.port(ECHO))
    await echoed(client, 'hello')
    return client
  }

  /** Both ends of a connection through the tunnel. */
  async byHand(connect = this.connect) {
    const client = await dial(connect.port(HAND))
    return { client, served: await this.hand.accepted() }
  }
}

/** The names of what `connect` has said since then, without figures. */
export const saidSince = ({ events }: Connect, since: number): string[] =>
  events.slice(since).flatMap(({ event }) => (event === 'stats' ? [] : [event]))
