/**
 * Rows at the bottom of the terminal that are drawn again in place, while lines go by above them. The cursor rests at the
 * start of the first row: wherever a terminal of another size has put it, and however it has wrapped the rows, they are all
 * from there on, and a terminal that gets lower takes away from below the cursor first. Every change is one write, so that
 * nothing is ever seen half drawn.
 */
import { clearLine, clearScreenDown, cursorTo, moveCursor } from 'node:readline'
import { Writable } from 'node:stream'
import type { Io, Output } from '../io.ts'
import { paintRow, type Row, rowWidth } from './row.ts'
import type { Terminal } from './terminal.ts'

/** DEC private modes: the cursor, and wrapping, which is off while rows are drawn, so that a row is a row. */
const hideCursor = '\u001b[?25l'
const showCursor = '\u001b[?25h'
const wrapOff = '\u001b[?7l'
const wrapOn = '\u001b[?7h'

interface Drawn {
  readonly text: string
  readonly width: number
}

export class Footer {
  readonly #io: Pick<Io, 'stdout' | 'stderr'>
  readonly #terminal: Terminal
  /** What is on the screen now, top first. */
  #drawn: readonly Drawn[] = []
  #columns = 0
  #rows = 0
  #cursor: 'shown' | 'hidden' = 'shown'

  constructor(io: Pick<Io, 'stdout' | 'stderr'>, terminal: Terminal) {
    this.#io = io
    this.#terminal = terminal
  }

  /** Draws `rows`, none wider than the terminal. When nothing changed nothing is written, so a selection stays. */
  draw(rows: readonly Row[]): void {
    const [columns, height] = [this.#terminal.columns(), this.#terminal.rows()]
    const next = rows.map(row => ({ text: paintRow(row, this.#terminal.paint), width: rowWidth(row) }))
    const resized = columns !== this.#columns || height !== this.#rows
    this.#columns = columns
    this.#rows = height
    this.hideCursor()
    if (!resized && sameRows(this.#drawn, next)) return
    const pen = new Pen()
    // The terminal may still take rows that it has wrapped for one line.
    if (resized && this.#drawn.length > 0) eraseDown(pen)
    this.#redraw(pen, next)
    pen.writeTo(this.#io.stderr)
  }

  /** Writes `text`, whole lines, above the rows. */
  above(stream: 'stdout' | 'stderr', text: string): void {
    if (this.#drawn.length === 0 || (stream === 'stdout' && this.#io.stdout.isTTY !== true)) {
      this.#io[stream].write(text)
      return
    }
    // Rows for another width are not drawn again: the resize event that is on its way brings the right ones.
    const rows = this.#terminal.columns() === this.#columns ? this.#drawn : []
    const erase = new Pen()
    eraseDown(erase)
    const restore = new Pen()
    this.#redraw(restore, rows)
    if (stream === 'stderr') this.#io.stderr.write(erase.text + text + restore.text)
    else {
      erase.writeTo(this.#io.stderr)
      this.#io.stdout.write(text)
      restore.writeTo(this.#io.stderr)
    }
  }

  hideCursor(): void {
    if (this.#cursor === 'shown') this.#io.stderr.write(hideCursor)
    this.#cursor = 'hidden'
  }

  /** Leaves the rows where they are and gives the cursor back, below them; the next draw starts there. */
  release(): void {
    const below = '\n'.repeat(this.#drawn.length)
    this.#drawn = []
    if (this.#cursor === 'hidden') this.#io.stderr.write(below + showCursor)
    this.#cursor = 'shown'
  }

  /** Every row, also one that is the same: a key that was pressed may have changed any. */
  #redraw(pen: Pen, next: readonly Drawn[]): void {
    cursorTo(pen, 0)
    pen.write(wrapOff)
    for (const { text, width } of next) {
      pen.write(text)
      // In the last column the cursor stands on the last character.
      if (width < this.#columns) clearLine(pen, 1)
      pen.write('\n')
    }
    pen.write(wrapOn)
    clearScreenDown(pen)
    moveCursor(pen, 0, -next.length)
    this.#drawn = next
  }
}

/** tmux keeps what is cleared from the top of the screen down, and shows it again: so the first row goes by itself. */
function eraseDown(pen: Pen): void {
  cursorTo(pen, 0)
  clearLine(pen, 0)
  moveCursor(pen, 0, 1)
  clearScreenDown(pen)
  moveCursor(pen, 0, -1)
}

/** Collects what node:readline writes. */
class Pen extends Writable {
  text = ''

  constructor() {
    super({ decodeStrings: false })
  }

  writeTo(stream: Output): void {
    if (this.text !== '') stream.write(this.text)
  }

  override _write(chunk: string, _encoding: BufferEncoding, done: () => void): void {
    this.text += chunk
    done()
  }
}

function sameRows(before: readonly Drawn[], next: readonly Drawn[]): boolean {
  return before.length === next.length && before.every(({ text }, index) => text === next[index]?.text)
}
