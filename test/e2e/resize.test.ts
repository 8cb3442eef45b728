/** The live block in a window whose size changes while data flows: one block, whole, and the lines above it as they were. */
import assert from 'node:assert/strict'
import { after, type TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { eventually } from '../support/processes.ts'
import { realTest } from '../support/servers.ts'
import { dial, freePort, outcomeOf, serveEcho } from '../support/sockets.ts'
import { TestTerminal } from '../support/terminal.ts'
import { Site, serviceArgs } from '../support/tunnel.ts'

const scope = { after }
const site = await Site.create(scope)
const gateway = await site.gateway()
const targets = ['db/prod:5432', 'api/prod:443', 'dead/prod:1']
const echo = await serveEcho(scope)
await site.agent(gateway, serviceArgs({ 'db/prod:5432': echo, 'api/prod:443': echo, 'dead/prod:1': 1 }))
const binary = `'${process.execPath}' '${fileURLToPath(new URL('../../bin/tunnelctl.js', import.meta.url))}'`
const env = { TUNNELCTL_GATEWAY: gateway.url, TUNNELCTL_TOKEN_FILE: await site.token({ role: 'connect' }) }
const tmux = { programs: ['tmux'], packages: 'tmux' }

/** From this height on there are an empty row above the block, and one for keys below it. */
const TALL = 10

class Window {
  readonly #terminal: TestTerminal
  readonly #ports: readonly number[]
  readonly #lines: string[] = []
  #columns = 100
  #rows = 24

  private constructor(terminal: TestTerminal, ports: readonly number[]) {
    this.#terminal = terminal
    this.#ports = ports
  }

  /** With a connection that echoes all the time. */
  static async open(t: TestContext): Promise<Window> {
    const ports = await Promise.all(targets.map(freePort))
    const command = ports.map((port, index) => `${port}:${targets[index]}`).join(' ')
    const terminal = await TestTerminal.open(t, `${binary} connect --address 127.0.0.1 ${command}; cat`, env, {
      columns: 100,
      rows: 24,
    })
    const window = new Window(terminal, ports)
    window.#lines.push(...ports.map((port, index) => `Forwarding from 127.0.0.1:${port} -> ${targets[index]}`))
    await terminal.shows(/-> dead\/prod:1\n[\s\S]*^\? keys$/m)
    const busy = await dial(ports[0] ?? 0)
    busy.on('data', chunk => setTimeout(() => busy.write(chunk), 5))
    busy.write(Buffer.alloc(1_000))
    t.after(() => void busy.destroy())
    return window
  }

  /** A line more above the block. */
  async refuse(): Promise<void> {
    assert.equal(await outcomeOf(this.#ports[2] ?? 0, 'hello'), 'ECONNRESET')
    const why = 'cannot reach dead/prod:1: 127.0.0.1:1 refused the connection'
    this.#lines.push(`tunnelctl: REFUSED ${why} (check that the service is running and listens on this port)`)
  }

  async resize(columns: number, rows: number): Promise<void> {
    this.#columns = columns
    this.#rows = rows
    await this.#terminal.resize(columns, rows)
  }

  /** Resolves when the screen is right, and still is when the block has been drawn again. */
  async isRight(): Promise<void> {
    const first = await this.#right('')
    await this.#right(first)
  }

  /** Every line is still there, in its order, and above the block; an old block may be what has scrolled off. */
  async linesAreWhole(): Promise<void> {
    const history = (await this.#terminal.history()).split('\n').map(line => line.trimEnd())
    assert.deepEqual(
      history.filter(line => /^(Forwarding|tunnelctl:)/.test(line)),
      this.#lines,
    )
  }

  /** Nothing but the lines and one block has ever been left. */
  async isAll(): Promise<void> {
    await this.linesAreWhole()
    const above = (await this.#terminal.history()).split('\n').filter(line => line.trim() !== '')
    assert.equal(above.length, this.#lines.length + this.#block().length, above.join('\n'))
  }

  /** Gives the header, which says another time or ping each second. */
  async #right(otherThan: string): Promise<string> {
    let screen = ''
    let header = ''
    const holds = async () => {
      screen = await this.#terminal.screen()
      const rows = screen.trimEnd().split('\n')
      const at = rows.findIndex(row => row.startsWith('● '))
      header = rows[at] ?? ''
      const block = this.#block()
      return (
        header !== otherThan &&
        rows.slice(at).length === block.length &&
        block.every((row, index) => row.test(rows[at + index] ?? '')) &&
        (this.#rows < TALL || at === 0 || rows[at - 1] === '') &&
        !rows.slice(0, Math.max(0, at)).some(row => /[●→↑]|^ping|^\? keys/.test(row))
      )
    }
    await eventually(holds, () => `at ${this.#columns} by ${this.#rows}, not one block, whole:\n${screen}`, 10_000)
    return header
  }

  /** The rows of it, at this size. */
  #block(): RegExp[] {
    const wide = this.#columns >= 80
    const traffic = wide ? '( +[\\d.]+ k?M?B){1,2}/s' : ' +[\\d.]+ k?M?B/s'
    const forwards = targets.map((target, index) => {
      const local = `${wide ? '127.0.0.1' : ''}:${this.#ports[index]}`
      const arrows = ['↑', '↓'].map(arrow => ` {2}${arrow}${traffic}`).join('')
      return new RegExp(`^${local} → ${target} + \\d open${arrows}$`)
    })
    return [/^● connected .* up \d+ s$/, ...forwards, /^ping /, ...(this.#rows >= TALL ? [/^\? keys$/] : [])]
  }
}

realTest('wider, narrower, lower and higher: one block each time, and the lines above it', tmux, async t => {
  const window = await Window.open(t)
  for (let line = 0; line < 4; line++) await window.refuse()
  await window.isRight()
  for (const [columns, rows] of [
    [140, 24],
    [60, 24],
    [60, 12],
    [60, 8],
    [60, 6],
    [60, 24],
    [100, 24],
  ] as const) {
    await window.resize(columns, rows)
    await window.isRight()
    await window.isAll()
    if (rows === 24) await window.refuse()
  }
})

realTest('dragged by its corner, it settles to one block', tmux, async t => {
  const window = await Window.open(t)
  // So many that tmux, which wraps rows before the process hears of it, puts away these and not the block.
  for (let line = 0; line < 6; line++) await window.refuse()
  for (let step = 0; step <= 20; step++) await window.resize(100 - 2 * step, 24 - Math.floor(step / 2))
  await window.isRight()
  await window.refuse()
  for (let step = 20; step >= 0; step--) await window.resize(100 - 2 * step, 24 - Math.floor(step / 2))
  await window.isRight()
  await window.linesAreWhole()
})
