/**
 * The ora spinner while the first connection is made. ora is loaded only now, and only its drawing is used: its own timer
 * would keep the process alive, and its start() takes over stdin and the write() of both output streams.
 */
import { clearLine, cursorTo, moveCursor } from 'node:readline'
import type { Clock } from '../../clock.ts'
import type { Io } from '../io.ts'
import { oneColumnEach } from './row.ts'
import type { Terminal } from './terminal.ts'

/** A connection that is made sooner needs no spinner. */
const patienceMs = 120
const frameMs = 80

type Drawing = Pick<import('ora').Ora, 'text' | 'render' | 'clear'>

export class Spinner {
  readonly #stderr: Io['stderr']
  readonly #terminal: Terminal
  readonly #clock: Clock
  #state: 'idle' | 'loading' | 'spinning' | 'stopped' = 'idle'
  #drawing: Drawing | undefined
  #text: () => string = () => ''
  #cancel = () => {}

  constructor({ stderr }: Pick<Io, 'stderr'>, terminal: Terminal, clock: Clock) {
    this.#stderr = stderr
    this.#terminal = terminal
    this.#clock = clock
  }

  /** Spins once a moment has passed, with what `text` says at each turn. A stopped spinner does not start again. */
  async start(text: () => string): Promise<void> {
    if (this.#state !== 'idle') return
    this.#state = 'loading'
    this.#text = text
    const [{ default: ora, spinners }] = await Promise.all([import('ora'), this.#wait(patienceMs)])
    if (this.#state !== 'loading') return
    this.#state = 'spinning'
    const { paint } = this.#terminal
    this.#drawing = ora({
      stream: canvas(this.#stderr, this.#terminal),
      isEnabled: true,
      discardStdin: false,
      hideCursor: false,
      color: false,
      spinner: { interval: frameMs, frames: spinners.dots.frames.map(frame => paint.cyan(frame)) },
    })
    this.#turn()
  }

  /** Takes the spinner off the screen while `print` writes whole lines. */
  above(print: () => void): void {
    this.#drawing?.clear()
    print()
    this.#drawing?.render()
  }

  stop(): void {
    this.#state = 'stopped'
    this.#cancel()
    this.#drawing?.clear()
    this.#drawing = undefined
  }

  #turn(): void {
    if (this.#drawing === undefined) return
    this.#drawing.text = oneColumnEach(this.#text()).slice(0, Math.max(0, this.#terminal.columns() - 3))
    this.#drawing.render()
    this.#cancel = this.#clock.after(frameMs, () => this.#turn())
  }

  #wait(ms: number): Promise<void> {
    return new Promise(resolve => {
      this.#cancel = this.#clock.after(ms, resolve)
    })
  }
}

/**
 * What ora draws on. It divides by the columns of its stream: at a terminal that does not know its size, and says 0, it would
 * go on erasing for ever.
 */
function canvas(stderr: Io['stderr'], terminal: Terminal): NodeJS.WriteStream {
  const drawn: Partial<NodeJS.WriteStream> = {
    isTTY: true,
    get columns() {
      return terminal.columns()
    },
    get rows() {
      return terminal.rows()
    },
    write: (text: string | Uint8Array) => stderr.write(text),
    cursorTo: (x: number) => cursorTo(stderr, x),
    moveCursor: (dx: number, dy: number) => moveCursor(stderr, dx, dy),
    clearLine: direction => clearLine(stderr, direction),
    // Only to draw again when a full terminal has room: the next turn does.
    once: () => drawn as NodeJS.WriteStream,
    removeListener: () => drawn as NodeJS.WriteStream,
  }
  return drawn as NodeJS.WriteStream
}
