/** A real agent that has only a malicious gateway to dial. */
import { freePort, serveEcho } from '../support/sockets.ts'
import { type Scope, Site, serviceArgs } from '../support/tunnel.ts'
import { randomOf } from './chance.ts'
import { expectLively, Finding, type Lane, type RoundReport, type Sent } from './finding.ts'
import { Gate, playGateway, rest } from './gate.ts'
import { Baseline, Watch } from './oracle.ts'
import type { Player } from './player.ts'
import type { Recording } from './recording.ts'
import { gatewayToAgentRound } from './rounds.ts'

interface Living {
  readonly watch: Watch
  /** Before it has been anywhere. */
  readonly baseline: Baseline
}

export class AgentLane implements Lane {
  readonly tracks = ['agent']
  readonly #recording: Recording
  readonly #gate: Gate
  readonly #site: Site
  readonly #services: readonly string[]
  #living: Living | undefined
  #starts = 0

  private constructor(recording: Recording, gate: Gate, site: Site, services: readonly string[]) {
    this.#recording = recording
    this.#gate = gate
    this.#site = site
    this.#services = services
  }

  static async open(scope: Scope, recording: Recording): Promise<AgentLane> {
    const [site, gate] = [await Site.create(scope), await Gate.open(scope)]
    const echo = await serveEcho(scope)
    const services = { 'echo/fuzz:7': echo, 'web/fuzz:80': echo, 'dead/fuzz:9': await freePort() }
    return new AgentLane(recording, gate, site, serviceArgs(services))
  }

  async rehearse(): Promise<void> {
    const { messages } = await this.#play('rehearsal', new Map(), true)
    expectLively(messages, 'a gateway')
  }

  async round(_target: string, seed: string, sent: Sent): Promise<RoundReport> {
    const { messages, complaint } = await this.#play(seed, sent)
    if (complaint !== undefined) throw new Finding(complaint)
    return { messages: messages.length }
  }

  sample(warm: boolean): void {
    this.#living?.watch.sample()
    if (warm) this.#living?.watch.warm()
  }

  async settle(): Promise<void> {
    // In a good place its sessions have nobody who comes for them, and end.
    await this.rehearse()
    const { watch, baseline } = await this.#alive()
    await baseline.returns()
    watch.look()
    watch.checkGrowth()
  }

  describe(): string {
    return `${this.#living?.watch.describe()}, started ${this.#starts} times`
  }

  async #play(seed: string, sent: Sent, calm = false): Promise<Pick<Player, 'messages' | 'complaint'>> {
    const { watch } = await this.#alive()
    const socket = await this.#gate.next('the agent', () => watch.ended)
    if (socket === undefined) {
      watch.look()
      return { messages: [], complaint: undefined }
    }
    const needsRest = this.#gate.needsRest && !calm
    const steps = gatewayToAgentRound(randomOf(seed), this.#recording, calm || needsRest)
    const player = await playGateway(socket, steps, sent, { patient: calm })
    if (needsRest) {
      await rest(player, socket)
      return await this.#play(seed, sent)
    }
    socket.destroy()
    watch.look()
    return player
  }

  /** It, or another, if it was told by a gateway that there is no place for it. */
  async #alive(): Promise<Living> {
    if (this.#living !== undefined && !this.#living.watch.ended) return this.#living
    this.#living?.watch.look()
    this.#starts++
    const token = await this.#site.token({ role: 'agent' })
    const where = ['--gateway', this.#gate.url, '--token-file', token, '--health-listen', '127.0.0.1:0']
    const how = ['--detached-ttl', '1s', '--log-level', 'debug', ...this.#services]
    const running = this.#site.run('agent', ['agent', ...where, ...how])
    const { admin } = await running.event('listening')
    const observed = { admin: `http://${String(admin)}`, process: running }
    const baseline = await Baseline.take(observed, ['sessions', 'detached_sessions', 'streams', 'kept_bytes'])
    this.#living = { watch: new Watch(running, true), baseline }
    return this.#living
  }
}
