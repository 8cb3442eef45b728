/** One process of the demo: this same program, started again with other arguments. */
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { delay, systemClock } from '../../clock.ts'
import { TunnelError } from '../../errors.ts'

/** One line of the log of a child. */
type LogLine = Readonly<Record<string, unknown>>

const READY_MS = 10_000
const STOP_MS = 2_000

export class Child {
  readonly name: string
  /** Resolves when the process has ended and all that it said was read. Never rejects. */
  readonly ended: Promise<void>
  readonly #process: ChildProcess
  readonly #waiting = new Set<(line: LogLine) => void>()
  #state: 'running' | 'dismissed' | 'ended' = 'running'
  #how = ''
  /** What it said about its own failure. */
  #complaint = ''

  /** @param lost told when the process ends without having been asked to */
  constructor(name: string, args: readonly string[], lost: (why: TunnelError) => void) {
    this.name = name
    const [, program = ''] = process.argv
    this.#process = spawn(process.execPath, [...process.execArgv, program, ...args], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: environment(process.env),
      // A group of its own: Ctrl-C reaches the demo alone, which then ends the rest in order.
      detached: process.platform !== 'win32',
      windowsHide: true,
    })
    if (this.#process.stderr !== null) {
      createInterface({ input: this.#process.stderr }).on('line', line => this.#hear(line))
    }
    this.ended = new Promise(resolve => {
      const end = (how: string) => {
        if (this.#state === 'ended') return
        this.#how = how
        const unasked = this.#state === 'running'
        this.#state = 'ended'
        if (unasked) lost(this.#failure())
        resolve()
      }
      this.#process.once('error', error => {
        if (this.#process.pid === undefined) end(`could not be started: ${error.message}`)
      })
      this.#process.once('close', (code, signal) => end(`ended with ${signal ?? `exit code ${code}`}`))
    })
  }

  get pid(): number {
    return this.#process.pid ?? 0
  }

  /**
   * The first line of its log, from now on, that tells of `event`.
   * @throws TunnelError when the process ends before that, or says nothing for 10 s
   */
  async says(event: string): Promise<LogLine> {
    let heard: (line: LogLine) => void = () => {}
    const cancel = new AbortController()
    const line = new Promise<LogLine>(resolve => {
      heard = line => {
        if (line.event === event) resolve(line)
      }
      this.#waiting.add(heard)
    })
    try {
      const found = await Promise.race([line, this.ended, delay(systemClock, READY_MS, cancel.signal)])
      if (found !== undefined) return found
      if (this.#state === 'ended') throw this.#failure()
      throw failed(`the ${this.name} did not say "${event}" within ${READY_MS / 1000} s`)
    } finally {
      cancel.abort()
      this.#waiting.delete(heard)
    }
  }

  /** SIGKILL: it gets no chance to say goodbye. Resolves when it is gone. */
  async kill(): Promise<void> {
    this.#dismiss('SIGKILL')
    await this.ended
  }

  /** Asks it to end, and insists after a while. Resolves when it is gone. */
  async stop(): Promise<void> {
    this.#dismiss('SIGTERM')
    const cancel = new AbortController()
    await Promise.race([this.ended, delay(systemClock, STOP_MS, cancel.signal)])
    cancel.abort()
    await this.kill()
  }

  #dismiss(signal: NodeJS.Signals): void {
    if (this.#state === 'ended') return
    this.#state = 'dismissed'
    this.#process.kill(signal)
  }

  #hear(line: string): void {
    const parsed = parseLine(line)
    if (parsed === undefined) {
      const [, complaint] = /^tunnelctl: (.*)/.exec(line) ?? []
      if (complaint !== undefined) this.#complaint = complaint
      return
    }
    for (const heard of this.#waiting) heard(parsed)
  }

  #failure(): TunnelError {
    return failed(`the ${this.name} ${this.#how}${this.#complaint === '' ? '' : `: ${this.#complaint}`}`)
  }
}

/** Nothing that the user has set for other gateways goes to the demo's own. */
function environment(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const kept = Object.entries(env).filter(([name]) => !/^TUNNELCTL_/i.test(name))
  // With this, a child ends when its parent is gone, however that went: see ../npx.ts.
  return { ...Object.fromEntries(kept), npm_command: 'exec' }
}

function parseLine(line: string): LogLine | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null ? (value as LogLine) : undefined
  } catch {
    return undefined
  }
}

/** A failure of the demo itself. */
export function failed(
  message: string,
  cause?: unknown,
  hint = 'try again; if it stays, please report it',
): TunnelError {
  return new TunnelError('INTERNAL', message, { cause, hint })
}
