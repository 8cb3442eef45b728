/**
 * A terminal for tests: it understands what the live block and ora write, wraps old rows anew when it gets narrower, and
 * keeps what scrolls off its top. `text` is what a person would see, scrolling back included.
 */
import { clearLine, cursorTo, moveCursor } from 'node:readline'
import { Writable } from 'node:stream'
import type { Clock } from '../../../src/clock.ts'

interface GridRow {
  cells: string[]
  /** The text goes on in the next row. */
  wraps: boolean
}

const ESCAPE = '\u001b'

export class Screen {
  columns: number
  rows: number
  cursorShown = true
  #grid: GridRow[] = [{ cells: [], wraps: false }]
  #x = 0
  #y = 0
  /** The row of the grid at the top of the screen. */
  #top = 0
  #wrapping = true
  #partial = ''

  constructor(columns = 80, rows = 24) {
    this.columns = columns
    this.rows = rows
  }

  get text(): string {
    return this.lines.join('\n')
  }

  /** From the first row that scrolled off to the row of the cursor, without the spaces at the end of each. */
  get lines(): string[] {
    const lines = this.#grid.map(({ cells }) =>
      Array.from(cells, cell => cell ?? ' ')
        .join('')
        .trimEnd(),
    )
    while (lines.length > 1 && lines.at(-1) === '' && lines.length - 1 > this.#y) lines.pop()
    return lines
  }

  get cursor(): { x: number; y: number } {
    return { x: this.#x, y: this.#y - this.#top }
  }

  resize(columns: number, rows = this.rows): void {
    const logical: { cells: string[]; cursor: number | undefined }[] = []
    let fresh = true
    for (const [y, { cells, wraps }] of this.#grid.entries()) {
      if (fresh) logical.push({ cells: [], cursor: undefined })
      const line = logical.at(-1)
      if (line === undefined) throw new Error('unreachable')
      if (y === this.#y) line.cursor = line.cells.length + this.#x
      line.cells.push(...cells)
      fresh = !wraps
    }
    this.#grid = []
    for (const { cells, cursor } of logical) {
      const first = this.#grid.length
      do {
        this.#grid.push({ cells: cells.splice(0, columns), wraps: cells.length > 0 })
      } while (cells.length > 0)
      if (cursor !== undefined) {
        this.#y = first + Math.floor(cursor / columns)
        this.#x = cursor % columns
        while (this.#grid.length <= this.#y) this.#grid.push({ cells: [], wraps: false })
      }
    }
    this.columns = columns
    this.rows = rows
    this.#top = Math.max(0, this.#y - rows + 1)
  }

  write(chunk: string): void {
    const text = this.#partial + chunk
    this.#partial = ''
    const token = new RegExp(`${ESCAPE}\\[([?]?)([0-9;]*)([A-Za-z])|([\\s\\S])`, 'gu')
    for (const [, mark = '', parameters = '', final, character] of text.matchAll(token)) {
      if (final !== undefined) this.#control(mark + final, parameters)
      else if (character !== undefined) this.#put(character)
    }
  }

  #put(character: string): void {
    if (character === '\n') {
      this.#x = 0
      this.#down(false)
    } else if (character === '\r') {
      this.#x = 0
    } else {
      if (character < ' ') throw new Error(`unexpected control ${JSON.stringify(character)}`)
      if (this.#x >= this.columns) {
        if (this.#wrapping) {
          this.#x = 0
          this.#down(true)
        } else this.#x = this.columns - 1
      }
      const { cells } = this.#row()
      while (cells.length < this.#x) cells.push(' ')
      cells[this.#x++] = character
      if (!this.#wrapping) this.#x = Math.min(this.#x, this.columns - 1)
    }
  }

  #down(wraps: boolean): void {
    this.#row().wraps = wraps
    this.#y++
    this.#top = Math.max(this.#top, this.#y - this.rows + 1)
    if (this.#grid.length <= this.#y) this.#grid.push({ cells: [], wraps: false })
  }

  #row(): GridRow {
    const row = this.#grid[this.#y] ?? { cells: [], wraps: false }
    this.#grid[this.#y] = row
    return row
  }

  #control(name: string, parameters: string): void {
    const count = Number(parameters || '1')
    switch (name) {
      case 'A':
        this.#y = Math.max(this.#top, this.#y - count)
        break
      case 'B':
        this.#y = Math.min(this.#grid.length - 1, this.#y + count)
        break
      case 'G':
        this.#x = count - 1
        break
      case 'K': {
        const row = this.#row()
        row.cells = parameters === '2' ? [] : row.cells.slice(0, this.#x)
        row.wraps = false
        break
      }
      case 'J':
        this.#row().cells.length = Math.min(this.#row().cells.length, this.#x)
        this.#row().wraps = false
        this.#grid.length = this.#y + 1
        break
      case '?h':
      case '?l':
        this.#mode(parameters, name === '?h')
        break
      case 'm':
        break
      default:
        throw new Error(`unexpected sequence ${name} ${parameters}`)
    }
  }

  #mode(mode: string, on: boolean): void {
    if (mode === '25') this.cursorShown = on
    else if (mode === '7') this.#wrapping = on
    else if (mode !== '2026') throw new Error(`unexpected mode ${mode}`)
  }
}

/** One output stream of a process. With a screen it is a terminal, without it is a pipe. */
export class FakeStream extends Writable {
  readonly isTTY: boolean
  readonly screen: Screen | undefined
  /** One entry per write. */
  readonly written: string[] = []

  constructor(screen?: Screen) {
    super({ decodeStrings: false })
    this.screen = screen
    this.isTTY = screen !== undefined
  }

  get columns(): number {
    return this.screen?.columns ?? 0
  }

  get rows(): number {
    return this.screen?.rows ?? 0
  }

  get text(): string {
    return this.written.join('')
  }

  resize(columns: number, rows?: number): void {
    this.screen?.resize(columns, rows)
    this.emit('resize')
  }

  cursorTo(x: number): boolean {
    return cursorTo(this, x)
  }

  moveCursor(dx: number, dy: number): boolean {
    return moveCursor(this, dx, dy)
  }

  clearLine(direction: -1 | 0 | 1): boolean {
    return clearLine(this, direction)
  }

  override _write(chunk: string, _encoding: BufferEncoding, done: () => void): void {
    this.written.push(chunk)
    this.screen?.write(chunk)
    done()
  }
}

interface Task {
  readonly atMs: number
  readonly task: () => void
}

/** Time that passes when it is told to. */
export class ManualClock implements Clock {
  #now = 1000
  #tasks: Task[] = []

  get waiting(): number {
    return this.#tasks.length
  }

  now(): number {
    return this.#now
  }

  after(delayMs: number, task: () => void): () => void {
    const entry = { atMs: this.#now + delayMs, task }
    this.#tasks.push(entry)
    return () => {
      this.#tasks = this.#tasks.filter(other => other !== entry)
    }
  }

  defer(task: () => void): void {
    this.after(0, task)
  }

  advance(ms: number): void {
    const end = this.#now + ms
    for (;;) {
      const next = this.#tasks.reduce<Task | undefined>(
        (first, task) => (task.atMs <= end && (first === undefined || task.atMs < first.atMs) ? task : first),
        undefined,
      )
      if (next === undefined) break
      this.#tasks = this.#tasks.filter(task => task !== next)
      this.#now = next.atMs
      next.task()
    }
    this.#now = end
  }
}
