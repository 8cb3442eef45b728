/** A short conversation over one session that has everything in it: every frame, and every way in which a stream ends. */
import type { Clock } from '../../src/clock.ts'
import { TunnelError } from '../../src/errors.ts'
import type { Stream } from '../../src/mux/stream.ts'
import { EARLY_DATA_BYTES, INITIAL_WINDOW_BYTES } from '../../src/mux/window.ts'
import { type Open, Verdict } from '../../src/wire/frame.ts'
import { Speaker } from './speaker.ts'

const UP_BYTES = EARLY_DATA_BYTES + 2_000
const DOWN_BYTES = INITIAL_WINDOW_BYTES + 3_000

/** What becomes of each stream at its two ends. */
const outcomes: Record<string, readonly [client: string, service: string | undefined]> = {
  echo: ['1500 bytes, 1 end', '1500 bytes, 1 end'],
  'half-closed': ['700 bytes, 1 end', '300 bytes, 1 end'],
  refused: ['reset with REFUSED', undefined],
  denied: ['reset with DENIED', undefined],
  impatient: ['reset with IDLE', undefined],
  'reset-by-client': ['reset with IDLE', 'reset with IDLE'],
  'reset-by-service': ['reset with PEER_RESET', 'reset with PEER_RESET'],
  full: [`${DOWN_BYTES} bytes, 1 end`, `${UP_BYTES} bytes, 1 end`],
}

export class Exchange {
  readonly #clock: Clock
  readonly #openStream: (target: object) => Stream
  readonly #clients = new Map<string, Speaker>()
  readonly #services = new Map<string, Speaker>()
  readonly #dials = new Map<string, number>()
  readonly #script: Generator<void, void, void>
  #finished = false
  #wrong: string | undefined

  constructor(clock: Clock, openStream: (target: object) => Stream) {
    this.#clock = clock
    this.#openStream = openStream
    this.#script = this.#play()
  }

  /** Goes on as far as what has arrived allows. Call it after each step of the world. */
  step(): void {
    this.#finished ||= this.#script.next().done === true
  }

  /** Every stream has ended, at both ends. */
  get done(): boolean {
    const closed = (speakers: Map<string, Speaker>) => [...speakers.values()].every(speaker => speaker.closed)
    return this.#finished && closed(this.#clients) && closed(this.#services)
  }

  /** What went otherwise than it should, once it is over. */
  get wrong(): string | undefined {
    if (this.#wrong !== undefined) return this.#wrong
    for (const [name, [atClient, atService]] of Object.entries(outcomes)) {
      const client = this.#clients.get(name)?.outcome
      const service = this.#services.get(name)?.outcome
      if (client !== atClient) return `${name}: the client saw ${client} instead of ${atClient}`
      if (service !== atService) return `${name}: the service saw ${service} instead of ${atService}`
      const dials = this.#dials.get(name)
      if (dials !== 1) return `${name}: the agent was asked ${dials} times`
    }
    return undefined
  }

  // The client's part: one line after the other.

  *#play(): Generator<void, void, void> {
    const echo = this.#open('echo')
    echo.listen()
    echo.say(1_000)
    const halfClosed = this.#open('half-closed')
    halfClosed.listen()
    halfClosed.say(300)
    halfClosed.end()
    const refused = this.#open('refused')
    refused.say(100)
    while (echo.received < 1_000) yield

    const denied = this.#open('denied', 'dev')
    denied.say(100)
    const impatient = this.#open('impatient')
    impatient.say(100)
    this.#clock.after(1, () => impatient.stream.reset(new TunnelError('IDLE', 'never mind')))
    const resetByClient = this.#open('reset-by-client')
    resetByClient.listen(received => {
      if (received === 200) resetByClient.stream.reset(new TunnelError('IDLE', 'enough'))
    })
    resetByClient.say(100)
    const resetByService = this.#open('reset-by-service')
    resetByService.listen()
    resetByService.say(100)
    for (const each of [halfClosed, refused, denied, impatient, resetByClient, resetByService]) {
      while (!each.closed) yield
    }

    // Both windows are full before either side goes on.
    const full = this.#open('full')
    full.say(UP_BYTES)
    full.end()
    while (full.stream.readableLength < INITIAL_WINDOW_BYTES) yield
    full.listen()
    while (!full.closed) yield

    echo.say(500)
    while (echo.received < 1_500) yield
    echo.end()
  }

  #open(name: string, namespace = 'prod'): Speaker {
    const client = new Speaker(
      name,
      'client',
      this.#openStream({ service: name, namespace, port: 80, protocol: 'tcp' }),
    )
    this.#clients.set(name, client)
    return client
  }

  // The agent's part.

  serve(stream: Stream, { verdict, json }: Open): void {
    const name = String(json.service)
    this.#dials.set(name, (this.#dials.get(name) ?? 0) + 1)
    if (verdict === Verdict.UNDECIDED) this.#wrong ??= `${name} came without a verdict`
    if (verdict !== Verdict.ALLOWED) return stream.reset(new TunnelError('DENIED', 'not allowed'))
    // Still dialling when the client has given up.
    if (name === 'impatient') return
    this.#clock.after(3, () => {
      if (name === 'refused') return stream.reset(new TunnelError('REFUSED', 'refused'))
      stream.accept(80)
      const service = new Speaker(name, 'service', stream)
      this.#services.set(name, service)
      this.#answer(name, service)
    })
  }

  #answer(name: string, service: Speaker): void {
    switch (name) {
      case 'echo':
        return service.listen(
          received => service.say(received - service.sent),
          () => service.end(),
        )
      case 'half-closed':
        return service.listen(undefined, () => {
          service.say(400)
          this.#clock.after(2, () => {
            service.say(300)
            service.end()
          })
        })
      case 'reset-by-client':
        return service.listen(() => service.say(200))
      case 'reset-by-service':
        return service.listen(() => {
          service.say(200)
          this.#clock.after(2, () => service.stream.reset(new TunnelError('PEER_RESET', 'the service has crashed')))
        })
      case 'full':
        service.say(DOWN_BYTES)
        service.end()
        return service.listen()
    }
  }
}
