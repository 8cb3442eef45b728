/**
 * Text output on a terminal: a spinner until the first connection, then the live block below the lines that go by, and
 * the totals when all is over.
 */
import type { Clock } from '../../clock.ts'
import type { ConnectEvent, ConnectSnapshot, StreamSnapshot } from '../../connect/events.ts'
import { escapeText } from '../../observe/escape.ts'
import type { Io } from '../io.ts'
import { updateHint } from '../newer.ts'
import { version } from '../version.ts'
import { blockRows, closingRows } from './block.ts'
import { Footer } from './footer.ts'
import { type KeyInput, Keys } from './keys.ts'
import { type Rate, Rates } from './rates.ts'
import { readyCommand } from './ready-command.ts'
import type { ConnectOutput } from './sink.ts'
import { Spinner } from './spinner.ts'
import { watchSuspend } from './suspend.ts'
import type { Terminal } from './terminal.ts'
import { lineOf, type Talk } from './text.ts'

const drawEveryMs = 250
const KEYS = 'q quit · r dial again · d connections · c commands · ? less'

/** What keys are for, at a terminal that has them. */
export interface LiveActions {
  readonly input: KeyInput
  quit(): void
  redial(): void
  /** The connections that are open, the oldest first. */
  streams(): readonly StreamSnapshot[]
}

export interface LiveOptions {
  readonly terminal: Terminal
  readonly clock: Clock
  readonly talk: Talk
  readonly snapshot: () => ConnectSnapshot | undefined
  readonly actions?: LiveActions | undefined
}

export class LiveOutput implements ConnectOutput {
  readonly #io: Pick<Io, 'stdout' | 'stderr'>
  readonly #terminal: Terminal
  readonly #clock: Clock
  readonly #talk: Talk
  readonly #snapshot: () => ConnectSnapshot | undefined
  readonly #footer: Footer
  readonly #spinner: Spinner
  readonly #rates = new Rates()
  #state: 'idle' | 'connecting' | 'live' | 'closed' = 'idle'
  #seen: { readonly snapshot: ConnectSnapshot; readonly rates: readonly Rate[] } | undefined
  readonly #actions: LiveActions | undefined
  readonly #keys: Keys | undefined
  #help = false
  #details = false
  #detach = () => {}
  #cancelTick = () => {}

  constructor(io: Pick<Io, 'stdout' | 'stderr'>, { terminal, clock, talk, snapshot, actions }: LiveOptions) {
    this.#io = io
    this.#terminal = terminal
    this.#clock = clock
    this.#talk = talk
    this.#snapshot = snapshot
    this.#footer = new Footer(io, terminal)
    this.#spinner = new Spinner(io, terminal, clock)
    this.#actions = actions
    this.#keys = actions && new Keys({ input: actions.input, pressed: key => this.#pressed(key) })
  }

  connecting(gateway: string): void {
    if (this.#state !== 'idle') return
    this.#state = 'connecting'
    this.#attach()
    this.#footer.hideCursor()
    // Without ora there is no spinner, and that is all.
    this.#spinner.start(() => this.#attempt(gateway)).catch(() => {})
  }

  event(event: ConnectEvent): void {
    if (event.event === 'connected') this.#goLive(event.gatewaySoftware)
    const line = lineOf(event, this.#terminal.paint, this.#talk)
    if (line !== undefined) this.#print(line.stream, line.text)
    // The block must not say otherwise, not even until the next tick.
    if (this.#state === 'live' && (event.event === 'disconnected' || event.event === 'resumed')) this.#tick()
  }

  note(text: string): void {
    this.#print('stderr', this.#terminal.paint.dim(escapeText(text)))
  }

  close(summary?: string): void {
    if (this.#state === 'closed') return
    this.#halt()
    if (this.#state === 'live') this.#drawTotals()
    this.#footer.release()
    this.#state = 'closed'
    if (summary !== undefined) this.note(summary)
  }

  #goLive(gatewaySoftware: string): void {
    if (this.#state === 'live' || this.#state === 'closed') return
    if (this.#state === 'idle') this.#attach()
    this.#state = 'live'
    this.#spinner.stop()
    this.#keys?.start()
    this.#tick()
    const hint = updateHint(gatewaySoftware, version)
    if (hint !== undefined) this.note(hint)
  }

  #pressed(key: string): void {
    switch (key) {
      case 'q':
        return this.#actions?.quit()
      case 'r':
        this.note('dialling another carrier')
        return this.#actions?.redial()
      case 'd':
        this.#details = !this.#details
        return this.#redraw()
      case 'c':
        for (const forward of this.#snapshot()?.forwards ?? []) this.#print('stderr', escapeText(readyCommand(forward)))
        return
      case '?':
      case 'h':
        this.#help = !this.#help
        return this.#redraw()
    }
  }

  #attach(): void {
    const { stderr } = this.#io
    const resized = () => this.#redraw()
    // A terminal that has gone away is no reason to stop forwarding.
    const gone = () => this.#halt()
    const unwatch = watchSuspend({
      leave: () => {
        this.#keys?.stop()
        this.#footer.release()
      },
      comeBack: () => {
        if (this.#state === 'live') this.#keys?.start()
        this.#footer.hideCursor()
        this.#redraw()
      },
    })
    stderr.on('resize', resized)
    stderr.on('error', gone)
    this.#detach = () => {
      stderr.off('resize', resized)
      stderr.off('error', gone)
      unwatch()
    }
  }

  #tick(): void {
    this.#cancelTick()
    const snapshot = this.#snapshot()
    if (snapshot !== undefined) {
      this.#seen = { snapshot, rates: this.#rates.sample(this.#clock.now(), snapshot.forwards) }
      this.#redraw()
    }
    this.#cancelTick = this.#clock.after(drawEveryMs, () => this.#tick())
  }

  #redraw(): void {
    if (this.#seen === undefined) return
    const size = { columns: this.#terminal.columns(), rows: this.#terminal.rows() }
    const keys = this.#keys?.on ? (this.#help ? KEYS : '? keys') : undefined
    const streams = this.#details ? this.#actions?.streams() : undefined
    this.#footer.draw(blockRows(this.#seen.snapshot, this.#seen.rates, size, { keys, streams }))
  }

  #drawTotals(): void {
    const snapshot = this.#snapshot() ?? this.#seen?.snapshot
    if (snapshot !== undefined) this.#footer.draw(closingRows(snapshot, this.#terminal.columns()))
  }

  #halt(): void {
    this.#spinner.stop()
    this.#keys?.stop()
    this.#cancelTick()
    this.#detach()
    this.#detach = () => {}
  }

  #print(stream: 'stdout' | 'stderr', text: string): void {
    if (this.#state === 'idle' || this.#state === 'connecting')
      this.#spinner.above(() => void this.#io[stream].write(`${text}\n`))
    else this.#footer.above(stream, `${text}\n`)
  }

  /** While the gateway can not be reached the spinner says why, and when the next attempt starts. */
  #attempt(gateway: string): string {
    const state = this.#snapshot()?.state
    if (state?.name !== 'offline') return `connecting to ${gateway}`
    return `connecting to ${gateway}: ${state.reason}, next try in ${Math.max(1, Math.ceil(state.nextTryMs / 1000))} s`
  }
}
