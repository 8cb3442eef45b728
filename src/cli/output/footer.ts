/**
 * Rows at the bottom of the terminal that are drawn again in place, while lines go by above them. The cursor rests at the
 * start of the line below the last row. Every change is one write, so that nothing is ever seen half drawn.
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
  /** How many lines of old rows the terminal has put away above its top when it got too short: it may bring them back. */
  #putAway = 0
  #cursor: 'shown' | 'hidden' = 'shown'

  constructor(io: Pick<Io, 'stdout' | 'stderr'>, terminal: Terminal) {
    this.#io = io
    this.#terminal = terminal
  }

  /** Draws `rows`, none wider than the terminal. When nothing changed nothing is written, so a selection stays. */
  draw(rows: readonly Row[]): void {
    const columns = this.#terminal.columns()
    const height = this.#terminal.rows()
    const next = rows.map(row => ({ text: paintRow(row, this.#terminal.paint), width: rowWidth(row) }))
    const pen = new Pen()
    // The old rows may have been wrapped anew, or scrolled off the top.
    if (columns !== this.#columns || height !== this.#rows) this.#erase(pen, columns)
    this.#columns = columns
    this.#rows = height
    this.hideCursor()
    if (!sameRows(this.#drawn, next)) this.#redraw(pen, next)
    pen.writeTo(this.#io.stderr)
  }

  /** Writes `text`, whole lines, above the rows. */
  above(stream: 'stdout' | 'stderr', text: string): void {
    if (this.#drawn.length === 0 || (stream === 'stdout' && this.#io.stdout.isTTY !== true)) {
      this.#io[stream].write(text)
      return
    }
    const columns = this.#terminal.columns()
    // Rows for another width are not drawn again: the resize event that is on its way brings the right ones.
    const rows = columns === this.#columns ? this.#drawn : []
    const erase = new Pen()
    this.#erase(erase, columns)
    // What is put away is not next to the rows any more.
    this.#putAway = 0
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

  /** Leaves the rows where they are and gives the cursor back; the next draw starts below. */
  release(): void {
    this.#drawn = []
    this.#putAway = 0
    if (this.#cursor === 'hidden') this.#io.stderr.write(showCursor)
    this.#cursor = 'shown'
  }

  #erase(pen: Pen, columns: number): void {
    const height = (width: number) => (this.#terminal.reflows ? Math.max(1, Math.ceil(width / columns)) : 1)
    // Wrapped anew, they may have become fewer, and above them are lines that are not ours.
    if (columns !== this.#columns) this.#putAway = 0
    const lines = this.#drawn.reduce((sum, { width }) => sum + height(width), this.#putAway)
    cursorTo(pen, 0)
    // Line by line: tmux keeps what is cleared from the top of the screen down, and shows it again.
    for (let line = 0; line < lines; line++) {
      moveCursor(pen, 0, -1)
      clearLine(pen, 0)
    }
    // The cursor does not go beyond the top, nor is it ever below the last row.
    this.#putAway = Math.max(0, lines - this.#terminal.rows() + 1)
    this.#drawn = []
  }

  /** Every row, also one that is the same: a key that was pressed may have moved them all. */
  #redraw(pen: Pen, next: readonly Drawn[]): void {
    cursorTo(pen, 0)
    moveCursor(pen, 0, -this.#drawn.length)
    pen.write(wrapOff)
    for (const { text, width } of next) {
      pen.write(text)
      // In the last column the cursor stands on the last character.
      if (width < this.#columns) clearLine(pen, 1)
      pen.write('\n')
    }
    pen.write(wrapOn)
    clearScreenDown(pen)
    this.#drawn = next
  }
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
