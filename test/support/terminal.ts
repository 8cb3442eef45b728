/** A real terminal, by tmux: keys go in, the screen is looked at. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { makeFolder, Process, removeFolder } from './processes.ts'
import type { Scope } from './tunnel.ts'

const LOOKS = 500
const LOOK_MS = 20

export class TestTerminal {
  readonly #socket: string
  readonly #env: Readonly<Record<string, string | undefined>>

  private constructor(socket: string, env: Readonly<Record<string, string | undefined>>) {
    this.#socket = socket
    this.#env = env
  }

  /** Runs `command` in it, a line of shell. */
  static async open(
    scope: Scope,
    command: string,
    env: Readonly<Record<string, string | undefined>>,
    { columns = 80, rows = 20 } = {},
  ): Promise<TestTerminal> {
    const folder = makeFolder()
    const terminal = new TestTerminal(join(folder, 'tmux'), env)
    await terminal.#tmux('new-session', '-d', '-x', String(columns), '-y', String(rows), command)
    scope.after(async () => {
      await terminal.close()
      removeFolder(folder)
    })
    return terminal
  }

  /** The terminal is gone, as when its window is closed. */
  async close(): Promise<void> {
    await this.#tmux('kill-server')
  }

  /** Text, or the names that tmux has for keys: `Enter`, `Tab`, `C-c`. */
  async type(...keys: string[]): Promise<void> {
    await this.#tmux('send-keys', ...keys)
  }

  /** What a person sees, without the spaces at the ends of rows. */
  screen(): Promise<string> {
    return this.#tmux('capture-pane', '-p')
  }

  /** The same with what has scrolled off the top in front, and with lines that were wrapped as they were written. */
  history(): Promise<string> {
    return this.#tmux('capture-pane', '-p', '-J', '-S', '-')
  }

  /** The screen with the sequences that colour it. */
  painted(): Promise<string> {
    return this.#tmux('capture-pane', '-p', '-e')
  }

  async cursorShown(): Promise<boolean> {
    return (await this.#tmux('display-message', '-p', '#{cursor_flag}')).trim() === '1'
  }

  async resize(columns: number, rows: number): Promise<void> {
    await this.#tmux('resize-window', '-x', String(columns), '-y', String(rows))
  }

  /** The screen, once it shows `what`. */
  async shows(what: RegExp): Promise<string> {
    let screen = ''
    for (let look = 0; look < LOOKS; look++) {
      screen = await this.screen()
      if (what.test(screen)) return screen
      await new Promise(resolve => setTimeout(resolve, LOOK_MS))
    }
    return assert.fail(`${what} is not on the screen:\n${screen}`)
  }

  async #tmux(...args: string[]): Promise<string> {
    const running = new Process('tmux', 'tmux', ['-f', '/dev/null', '-S', this.#socket, ...args], { env: this.#env })
    await running.finished()
    return running.stdout
  }
}
