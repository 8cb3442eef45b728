/** A real connect that has only a malicious gateway to dial, and whose ports are used. */
import { createSocket } from 'node:dgram'
import { connect, type Socket } from 'node:net'
import { decodeAttachment, Kind, kindOf } from '../../src/wire/message.ts'
import { eventually } from '../support/processes.ts'
import { type Scope, Site } from '../support/tunnel.ts'
import { randomOf } from './chance.ts'
import { Finding, type Lane, type RoundReport, type Sent, STALE } from './finding.ts'
import { Gate, playGateway, rest } from './gate.ts'
import { Watch } from './oracle.ts'
import type { Player } from './player.ts'
import type { Recording } from './recording.ts'
import { gatewayToConnectRound } from './rounds.ts'

interface Living {
  readonly watch: Watch
  readonly tcp: number
  readonly udp: number
  /** Open file descriptors when it had just begun. */
  readonly handles: number
}

interface Played {
  readonly player: Player
  readonly socket: Socket
}

const MAX_MORE_HANDLES = 6

export class ConnectLane implements Lane {
  readonly tracks = ['connect']
  readonly #recording: Recording
  readonly #sessionId: Buffer
  readonly #gate: Gate
  readonly #site: Site
  #living: Living | undefined
  #starts = 0

  private constructor(recording: Recording, gate: Gate, site: Site) {
    this.#recording = recording
    this.#gate = gate
    this.#site = site
    const said = recording.connect[0]?.said.find(({ bytes }) => kindOf(bytes) === Kind.ATTACHED)
    this.#sessionId = said === undefined ? Buffer.alloc(16) : decodeAttachment(said.bytes).sessionId
  }

  static async open(scope: Scope, recording: Recording): Promise<ConnectLane> {
    return new ConnectLane(recording, await Gate.open(scope), await Site.create(scope))
  }

  async rehearse(): Promise<void> {
    await this.#alive()
  }

  async round(_target: string, seed: string, sent: Sent): Promise<RoundReport> {
    const { watch, tcp, udp } = await this.#alive()
    const users = [tcp, tcp].map(port => use(port))
    const datagrams = createSocket('udp4')
    datagrams.on('error', () => {})
    datagrams.send('a datagram', udp, '127.0.0.1')
    const { player } = (await this.#play(watch, seed, sent)) ?? {}
    for (const user of users) user.destroy()
    datagrams.close()
    watch.look()
    if (player?.complaint !== undefined) throw new Finding(player.complaint)
    return { messages: player?.messages.length ?? 0 }
  }

  sample(warm: boolean): void {
    this.#living?.watch.sample()
    if (warm) this.#living?.watch.warm()
  }

  async settle(): Promise<void> {
    const { watch, handles } = await this.#alive()
    const now = () => watch.process.handles ?? 0
    try {
      await eventually(
        () => now() <= handles + MAX_MORE_HANDLES,
        () => `${now()} handles, were ${handles}`,
      )
    } catch (thrown) {
      throw new Finding(`something is left in connect: ${String(thrown)}`)
    }
    watch.look()
    watch.checkGrowth()
  }

  describe(): string {
    return `${this.#living?.watch.describe()}, started ${this.#starts} times`
  }

  async #play(watch: Watch, seed: string, sent: Sent, calm = false): Promise<Played | undefined> {
    const socket = await this.#gate.next('connect', () => watch.ended)
    if (socket === undefined) return undefined
    const needsRest = this.#gate.needsRest && !calm
    const steps = gatewayToConnectRound(randomOf(seed), this.#recording, calm || needsRest)
    const player = await playGateway(socket, steps, sent, { sessionId: this.#sessionId, patient: calm })
    if (needsRest) {
      await rest(player, socket)
      return await this.#play(watch, seed, sent)
    }
    // After a rehearsal it still has to say what it listens on.
    if (!calm) socket.destroy()
    return { player, socket }
  }

  /** It, or another, if it was told by a gateway that there is no hope. */
  async #alive(): Promise<Living> {
    if (this.#living !== undefined && !this.#living.watch.ended) return this.#living
    this.#living?.watch.look()
    this.#starts++
    const token = await this.#site.token({ role: 'connect' })
    const where = ['--gateway', this.#gate.url, '--token-file', token, '--agent', 'home', '-o', 'json']
    const how = ['--hold-timeout', '1s', '--udp-idle-timeout', '1s', '--stats-interval', '0']
    const targets = ['127.0.0.1:0:echo/fuzz:7', '127.0.0.1:0:datagrams/fuzz:53/udp']
    const running = this.#site.run('connect', ['connect', ...where, ...how, ...targets])
    const watch = new Watch(running, true)
    const rehearsal = await this.#play(watch, 'rehearsal', new Map(), true)
    const ports: number[] = []
    for (const target of ['echo/fuzz:7', 'datagrams/fuzz:53/udp']) {
      const { local } = await running
        .event('forwarding', event => event.target === target)
        .catch(thrown => {
          throw new Finding(`${STALE}: ${String(thrown)}`)
        })
      ports.push(Number(String(local).split(':').at(-1)))
    }
    rehearsal?.socket.destroy()
    const [tcp = 0, udp = 0] = ports
    this.#living = { watch, tcp, udp, handles: running.handles ?? 0 }
    return this.#living
  }
}

/** Says something, and ends. Whether it is answered is the gateway's affair. */
function use(port: number): Socket {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  socket.on('error', () => {})
  socket.resume().end('x'.repeat(300))
  return socket
}
