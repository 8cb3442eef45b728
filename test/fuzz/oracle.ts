/** What every real process must be at all times: alive, silent about itself, and no larger than it was. */
import { type Exit, eventually, type Process } from '../support/processes.ts'
import { metricsOf } from '../support/tunnel.ts'
import { Finding } from './finding.ts'

/** What a process may grow by after its warm-up: V8 collects late, and slabs and queues keep some 25 MiB (docs/testing.md). */
const MAX_GROWTH_BYTES = 96 * 1024 * 1024
/** File descriptors that come and go by themselves: a pool's idle connections. */
const MAX_MORE_HANDLES = 6
const SETTLE_MS = 20_000
/** What an exception of the language says, as opposed to a failure that somebody has thought of. */
const EXCEPTION =
  /Cannot (read|set|destructure|convert|mix)|is not (a function|iterable|defined|a constructor|an object|extensible)|The (value|"\w+" (argument|property))|Maximum call stack|Invalid (array|string) length|ERR_[A-Z]|Unexpected token|out of range|before initialization/
/** A failure at the door of a process, said to a person and with an exit code of ours: no crash. */
const ORDERLY = /^tunnelctl: [A-Z_]+ /

export class Watch {
  readonly process: Process
  readonly #mayEnd: boolean
  readonly #looked = { stdout: 0, stderr: 0 }
  #samples: number[] = []
  #warmBytes: number | undefined
  #exit: Exit | undefined

  /** @param mayEnd a gateway that says that there is no hope ends it, and that is right */
  constructor(running: Process, mayEnd = false) {
    this.process = running
    this.#mayEnd = mayEnd
    void running.exited.then(exit => {
      this.#exit = exit
    })
  }

  /** @throws Finding what it has said or done since the last time that it must not */
  look(): void {
    for (const output of ['stderr', 'stdout'] as const) {
      const text = this.process[output]
      const end = text.lastIndexOf('\n') + 1
      const lines = text.slice(this.#looked[output], end).split('\n')
      this.#looked[output] = Math.max(this.#looked[output], end)
      for (const line of lines) {
        const why = line === '' ? undefined : complaintAbout(line, this.#mayEnd)
        if (why !== undefined) throw new Finding(`${this.process.name} ${why}: ${line.slice(0, 2_000)}`)
      }
    }
    if (this.#exit === undefined) return
    const { code } = this.#exit
    const inOrder = this.#mayEnd && code !== null && code >= 1 && code <= 4
    if (!inOrder) throw new Finding(`${this.process.name} ${this.process.describe()}`)
  }

  get ended(): boolean {
    return this.#exit !== undefined
  }

  sample(): void {
    const { residentBytes } = this.process
    if (residentBytes !== undefined) this.#samples = [...this.#samples.slice(-9), residentBytes]
  }

  /** From now on it may not grow. */
  warm(): void {
    this.#warmBytes ??= this.#least
  }

  /** @throws Finding */
  checkGrowth(): void {
    const grown = this.#least - (this.#warmBytes ?? this.#least)
    if (grown > MAX_GROWTH_BYTES) {
      throw new Finding(`${this.process.name} has grown by ${mib(grown)} after its warm-up, to ${mib(this.#least)}`)
    }
  }

  get #least(): number {
    return this.#samples.length === 0 ? 0 : Math.min(...this.#samples)
  }

  describe(): string {
    return `${this.process.name} ${mib(this.#least)} (${mib(this.#least - (this.#warmBytes ?? this.#least))} more than warm)`
  }
}

const mib = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MiB`

function complaintAbout(line: string, mayEnd: boolean): string | undefined {
  if (!line.startsWith('{')) {
    if (/uncaught|unhandled|^\s+at |Warning:/i.test(line)) return 'said'
    return mayEnd && ORDERLY.test(line) && !EXCEPTION.test(line) ? undefined : 'said what is no line of its log'
  }
  if (!line.includes('"INTERNAL"')) return undefined
  const { error, ...event } = JSON.parse(line) as { error?: Failure } & Failure
  const { code, message = '', cause } = error ?? event
  // A code that nobody knows reads as INTERNAL too, and comes without a cause.
  return code === 'INTERNAL' && (cause !== undefined || EXCEPTION.test(message)) ? 'failed' : undefined
}

interface Failure {
  readonly code?: string
  readonly message?: string
  readonly cause?: unknown
}

export interface Observed {
  readonly admin: string
  readonly process: Process
}

/** The figures of an admin port, and the process's handles, as they are when nothing happens. */
export class Baseline {
  readonly #observed: Observed
  readonly #names: readonly string[]
  readonly #figures: ReadonlyMap<string, number>
  readonly #handles: number

  private constructor(observed: Observed, names: readonly string[], figures: ReadonlyMap<string, number>) {
    this.#observed = observed
    this.#names = names
    this.#figures = figures
    this.#handles = observed.process.handles ?? 0
  }

  static async take(observed: Observed, names: readonly string[]): Promise<Baseline> {
    return new Baseline(observed, names, await metricsOf(observed))
  }

  /** @throws Finding when a figure stays above what it was */
  async returns(): Promise<void> {
    const { process: running } = this.#observed
    try {
      await eventually(
        async () => (await this.#differences()).length === 0,
        async () => (await this.#differences()).join('; '),
        SETTLE_MS,
      )
    } catch (thrown) {
      throw new Finding(`something is left in ${running.name}: ${String(thrown)}`)
    }
  }

  async #differences(): Promise<string[]> {
    const figures = await metricsOf(this.#observed)
    const wrong = this.#names.filter(name => (figures.get(name) ?? 0) > (this.#figures.get(name) ?? 0))
    const told = wrong.map(name => `${name} is ${figures.get(name)}, was ${this.#figures.get(name)}`)
    const handles = this.#observed.process.handles ?? 0
    return handles > this.#handles + MAX_MORE_HANDLES ? [...told, `${handles} handles, were ${this.#handles}`] : told
  }
}
