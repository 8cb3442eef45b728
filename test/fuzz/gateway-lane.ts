/** A real gateway with an honest connect and agent, who must not notice those that play against it beside them. */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { DOMAIN, hostFor, portOf, serveHttp } from '../support/ingress.ts'
import { dial, freePort, serve, serveEcho } from '../support/sockets.ts'
import { type Scope, Site, serviceArgs } from '../support/tunnel.ts'
import { randomOf } from './chance.ts'
import { expectLively, Finding, type Lane, type RoundReport, type Sent, STALE } from './finding.ts'
import { Honest } from './honest.ts'
import { Baseline, Watch } from './oracle.ts'
import { Player, type PlayerOptions } from './player.ts'
import type { Recording } from './recording.ts'
import { agentRound, clientRound, type Fill, ingressRound } from './rounds.ts'
import type { Step } from './steps.ts'

const EVIL_WEB = 'web/fuzz:80'
const SUBJECTS = 12
const MANY = 50
const HONEST_WEB = 'honest/fuzz:80'

interface Parts {
  readonly recording: Recording
  readonly port: number
  /** Of several subjects, so that none of them comes more often than it may. */
  readonly clients: readonly Fill[]
  readonly agent: Fill
  readonly watches: readonly Watch[]
  readonly baselines: readonly Baseline[]
  readonly honest: Honest
  readonly web: EvilWeb
}

export class GatewayLane implements Lane {
  readonly tracks = ['gateway-client', 'gateway-client', 'gateway-agent', 'ingress']
  readonly #parts: Parts
  /** Clients and agents, and those of them that the gateway let in. */
  readonly #came = { all: 0, in: 0 }

  private constructor(parts: Parts) {
    this.#parts = parts
  }

  static async start(scope: Scope, recording: Recording): Promise<GatewayLane> {
    const site = await Site.create(scope)
    const web = await EvilWeb.start(scope)
    const honestWeb = await serveHttp(scope, (_request, response) => void response.end('ok'))
    const udp = createSocket('udp4').bind(0, '127.0.0.1')
    udp.on('message', (payload, { port, address }) => udp.send(payload, port, address))
    await once(udp, 'listening')
    scope.after(() => void udp.close())
    const services = {
      'echo/fuzz:7': await serveEcho(scope),
      'dead/fuzz:9': await freePort(),
      'datagrams/fuzz:53/udp': udp.address().port,
      [EVIL_WEB]: web.port,
      [HONEST_WEB]: honestWeb.port,
    }
    const log = ['--log-level', 'debug']
    const ingress = ['--ingress-domain', DOMAIN, '--ingress-public', '*/fuzz:80', '--log-frames', 'each']
    const gateway = await site.gateway([...log, ...ingress, '--ingress-timeout', '2s', '--ingress-idle-timeout', '2s'])
    const agent = await site.agent(gateway, [...log, '--detached-ttl', '1s', ...serviceArgs(services)])
    const connect = await site.connect(gateway, ['echo/fuzz:7'], { args: ['--stats-interval', '0'] })
    const port = portOf(gateway)
    const honest = new Honest(connect.port('echo/fuzz:7'), { port, target: HONEST_WEB })
    await honest.start()
    const { address: host } = gateway
    const allow = ['echo/fuzz:*', 'dead/fuzz:*', 'datagrams/fuzz:*', '0/0:*']
    const clients = Array.from({ length: SUBJECTS }, async (_, index) => {
      const subject = `mallory-${index}`
      return { host, token: await site.tokenText({ role: 'connect', subject, agents: ['home', 'evil'], allow }) }
    })
    const evil = await site.tokenText({ role: 'agent', subject: 'evil', agents: ['evil'] })
    return new GatewayLane({
      recording,
      port,
      clients: await Promise.all(clients),
      agent: { host, token: evil },
      watches: [gateway.process, agent.process, connect.process].map(each => new Watch(each)),
      baselines: [
        await Baseline.take(gateway, ['agents', 'clients', 'sessions', 'queued_bytes']),
        await Baseline.take(agent, ['sessions', 'detached_sessions', 'streams', 'kept_bytes']),
      ],
      honest,
      web,
    })
  }

  async round(target: string, seed: string, sent: Sent): Promise<RoundReport> {
    const { recording, clients, agent, honest, watches, web } = this.#parts
    const random = randomOf(seed)
    const client = random.pick(clients)
    const players: Player[] = []
    if (target === 'gateway-client') {
      for (const [index, steps] of clientRound(random, recording, client).entries()) {
        players.push(await this.#dialAndPlay(steps, `client ${index + 1}`, sent))
      }
    } else if (target === 'gateway-agent') {
      const round = agentRound(random, recording, agent, client)
      const [evil] = await Promise.all([
        this.#dialAndPlay(round.agent, 'agent', sent),
        // What it gets is the evil agent's, and no complaint.
        this.#dialAndPlay(round.client, 'client', sent),
      ])
      players.push(evil)
    } else {
      const { request, answers } = ingressRound(random, recording, hostFor(EVIL_WEB))
      web.answer(answers, sent)
      players.push(await this.#dialAndPlay(request, 'request', sent, { http: true }))
      web.hush()
    }
    if (target !== 'ingress') {
      this.#came.all += players.length
      this.#came.in += players.filter(({ head }) => head.startsWith('HTTP/1.1 101 ')).length
    }
    for (const { complaint } of players) if (complaint !== undefined) throw new Finding(complaint)
    honest.look()
    for (const watch of watches) watch.look()
    return { messages: players.reduce((sum, { messages }) => sum + messages.length, 0) }
  }

  async rehearse(): Promise<void> {
    const { recording, clients, agent, web } = this.#parts
    const random = randomOf('rehearsal')
    const client = random.pick(clients)
    const sent: Sent = new Map()
    for (const steps of clientRound(random, recording, client, true)) {
      const { messages } = await this.#dialAndPlay(steps, 'client', sent, { patient: true })
      expectLively(messages, 'a client')
    }
    const round = agentRound(random, recording, agent, client, true)
    const [, { messages }] = await Promise.all([
      this.#dialAndPlay(round.agent, 'agent', sent, { patient: true }),
      this.#dialAndPlay(round.client, 'client', sent, { patient: true }),
    ])
    expectLively(messages, 'a client of another agent')
    const { request, answers } = ingressRound(random, recording, hostFor(EVIL_WEB), true)
    web.answer(answers, sent)
    const { head } = await this.#dialAndPlay(request, 'request', sent, { http: true })
    web.hush()
    if (!head.startsWith('HTTP/1.1 200 ')) throw new Finding(`${STALE}: the ingress answered ${JSON.stringify(head)}`)
  }

  sample(warm: boolean): void {
    for (const watch of this.#parts.watches) {
      watch.sample()
      if (warm) watch.warm()
    }
  }

  async settle(): Promise<void> {
    const { honest, baselines, watches } = this.#parts
    const { all } = this.#came
    // Else it is the door alone that is played against.
    if (all > MANY && this.#came.in < all / 2)
      throw new Finding(`of ${all} that came only ${this.#came.in} were let in`)
    honest.look()
    for (const baseline of baselines) await baseline.returns()
    await honest.end()
    for (const watch of watches) {
      watch.look()
      watch.checkGrowth()
    }
  }

  describe(): string {
    const { honest, watches } = this.#parts
    return `${watches.map(watch => watch.describe()).join(', ')}; ${honest.echoes} honest echoes`
  }

  async #dialAndPlay(steps: readonly Step[], name: string, sent: Sent, options: PlayerOptions = {}): Promise<Player> {
    const socket = await dial(this.#parts.port)
    const player = new Player(socket, options)
    sent.set(name, player.sent)
    await player.play(steps)
    socket.destroy()
    return player
  }
}

/** A service of the ingress that answers as it was told, and not as it was asked. */
class EvilWeb {
  readonly port: number
  #answers: readonly (readonly Step[])[] = []
  #sent: Sent = new Map()
  #next = 0
  readonly #sockets = new Set<Socket>()

  private constructor(port: number) {
    this.port = port
  }

  static async start(scope: Scope): Promise<EvilWeb> {
    const accept: { to?: EvilWeb } = {}
    const port = await serve(scope, socket => accept.to?.accepted(socket))
    accept.to = new EvilWeb(port)
    return accept.to
  }

  answer(answers: readonly (readonly Step[])[], sent: Sent): void {
    this.#answers = answers
    this.#sent = sent
    this.#next = 0
  }

  /** No connection of this round answers a request of the next. */
  hush(): void {
    this.#answers = []
    for (const socket of this.#sockets) socket.destroy()
  }

  private accepted(socket: Socket): void {
    const steps = this.#answers[this.#next++]
    if (steps === undefined) return void socket.destroy()
    this.#sockets.add(socket)
    socket.on('close', () => this.#sockets.delete(socket))
    const player = new Player(socket, { http: true })
    this.#sent.set(`answer ${this.#next}`, player.sent)
    // To a request that has come.
    socket.once('data', () => void player.play(steps))
  }
}
