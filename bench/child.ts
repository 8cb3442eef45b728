/**
 * The processes of the bench. None of them, and no file they wrote, outlives it: whatever is still alive when the
 * bench exits is killed, and the scratch folder is removed.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const alive = new Set<ChildProcess>()
let folder: string | undefined
let started = 0

process.on('exit', () => {
  for (const child of alive) child.kill('SIGKILL')
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
})

/** The folder for the files of this run. */
export function scratch(): string {
  folder ??= mkdtempSync(join(tmpdir(), 'tunnelctl-bench-'))
  return folder
}

/** Bytes. `heap` counts JavaScript objects and buffers after a garbage collection; only a probed process knows it. */
export interface Memory {
  readonly rss: number
  readonly heap?: number
}

export interface ChildOptions {
  /** Opens a message channel: the process is one of the bench's own. */
  readonly channel?: boolean
  /** Loads the probe into any Node process, so that `memory` collects garbage first. */
  readonly probe?: boolean
  /** Its stderr goes to /dev/null: it says more there than anybody could read. */
  readonly quiet?: boolean
}

interface Polling {
  readonly timeoutMs?: number
  readonly everyMs?: number
}

export class Child {
  /** What the process is in its chain: `gateway`, `hop 1`. */
  readonly role: string
  /** Settles with the exit code (128 + signal number is not kept apart: a signal gives 128). Never rejects. */
  readonly exited: Promise<number>
  readonly #process: ChildProcess
  readonly #files: { readonly stdout: string; readonly stderr: string }
  readonly #start: { readonly command: string; readonly args: readonly string[]; readonly options: ChildOptions }
  #end: string | undefined

  /** Starts the process. That it cannot be started shows in whatever is awaited first. */
  constructor(role: string, command: string, args: readonly string[], options: ChildOptions = {}) {
    this.role = role
    this.#start = { command, args, options }
    const probed = options.probe === true
    const name = join(scratch(), `${started++}-${role.replaceAll(' ', '-')}`)
    this.#files = { stdout: `${name}.out`, stderr: `${name}.err` }
    // Files, not pipes: reading what a contender logs must not take processor time from it.
    const stdout = openSync(this.#files.stdout, 'w')
    const stderr = openSync(this.#files.stderr, 'w')
    const said = options.quiet === true ? 'ignore' : stderr
    const channel = options.channel === true || probed
    const child = spawn(command, args, {
      stdio: ['ignore', stdout, said, ...(channel ? (['ipc'] as const) : [])],
      env: environment(probed),
    })
    this.#process = child
    alive.add(child)
    closeSync(stdout)
    closeSync(stderr)
    this.exited = new Promise(resolve => {
      const end = (how: string, code: number) => {
        alive.delete(child)
        this.#end ??= how
        resolve(code)
      }
      child.on('error', error => {
        if (child.pid === undefined) end(error.message, 127)
      })
      child.on('exit', (code, signal) => end(`exited with ${code ?? signal}`, code ?? 128))
    })
  }

  /** A Node process of the bench itself: a TypeScript file under bench/. */
  static own(role: string, file: string, args: readonly string[] = [], probe = false): Child {
    const path = fileURLToPath(new URL(file, import.meta.url))
    return new Child(role, process.execPath, ['--import', 'tsx', path, ...args], { channel: true, probe })
  }

  /** Starts the same command line once more. */
  again(): Child {
    const { command, args, options } = this.#start
    return new Child(this.role, command, args, options)
  }

  get pid(): number | undefined {
    return this.#process.pid
  }

  /** How the process ended, with the last thing it said. Undefined while it runs. */
  get end(): string | undefined {
    if (this.#end === undefined) return undefined
    const said = this.stderr.trimEnd().split('\n').at(-1)
    return said ? `${this.#end}: ${said}` : this.#end
  }

  get stdout(): string {
    return readFileSync(this.#files.stdout, 'utf8')
  }

  get stderr(): string {
    return readFileSync(this.#files.stderr, 'utf8')
  }

  /** Polls until `found` gives something. Rejects when the process ends first or `timeoutMs` is over. */
  async until<T>(
    what: string,
    found: () => T | undefined | Promise<T | undefined>,
    { timeoutMs = 10_000, everyMs = 10 }: Polling = {},
  ): Promise<T> {
    const deadline = performance.now() + timeoutMs
    for (;;) {
      const result = await found()
      if (result !== undefined) return result
      if (this.end !== undefined) throw new Error(`${this.role} ${this.end}`)
      if (performance.now() > deadline) throw new Error(`${this.role}: no ${what} within ${timeoutMs} ms`)
      await sleep(everyMs)
    }
  }

  /** The first whole line of an output for which `match` gives something. */
  line<T>(
    output: 'stdout' | 'stderr',
    what: string,
    match: (line: string) => T | undefined,
    polling?: Polling,
  ): Promise<T> {
    const find = () => {
      for (const line of this[output].split('\n').slice(0, -1)) {
        const result = match(line)
        if (result !== undefined) return result
      }
      return undefined
    }
    return this.until(what, find, polling)
  }

  /** The exit code. The process is killed, and the promise rejects, when `timeoutMs` is over. */
  async finished(timeoutMs: number): Promise<number> {
    const timer = new AbortController()
    const late = sleep(timeoutMs, undefined, { signal: timer.signal, ref: false }).catch(() => undefined)
    const code = await Promise.race([this.exited, late])
    timer.abort()
    if (code !== undefined) return code
    this.#process.kill('SIGKILL')
    throw new Error(`${this.role} took longer than ${timeoutMs} ms`)
  }

  /** The next message of the process, which must have a channel; call it before the message can arrive. */
  message<T>(timeoutMs = 10_000): Promise<T> {
    return new Promise((resolve, reject) => {
      const child = this.#process
      const done = () => {
        clearTimeout(timer)
        child.off('message', received)
        child.off('exit', ended)
      }
      const received = (message: unknown) => {
        done()
        resolve(message as T)
      }
      const ended = () => {
        done()
        reject(new Error(`${this.role} ${this.end}`))
      }
      const timer = setTimeout(() => {
        done()
        reject(new Error(`${this.role} did not answer within ${timeoutMs} ms`))
      }, timeoutMs)
      child.on('message', received)
      child.on('exit', ended)
      if (this.#end !== undefined) ended()
    })
  }

  /** Sends `message` and resolves with the answer. One request at a time. */
  request<T>(message: NonNullable<unknown>, timeoutMs?: number): Promise<T> {
    const answer = this.message<T>(timeoutMs)
    if (this.#process.connected) this.#process.send(message)
    return answer
  }

  /** Rejects when the process has ended, or when the system does not tell and no probe is loaded. */
  async memory(): Promise<Memory> {
    if (this.#start.options.probe) {
      const { rss, heapUsed, external } = await this.request<NodeJS.MemoryUsage>('memory')
      return { rss, heap: heapUsed + external }
    }
    const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8')) ?? []
    if (kilobytes === undefined) throw new Error(`${this.role}: the system does not tell its memory`)
    return { rss: Number(kilobytes) * 1024 }
  }

  /** Ends the process at once: it can neither save nor say anything. */
  async kill(): Promise<void> {
    this.#process.kill('SIGKILL')
    await this.exited
  }

  /** Ends the process: by SIGTERM, and by SIGKILL when that does not do within 3 s. */
  async stop(): Promise<void> {
    this.#process.kill('SIGTERM')
    await this.finished(3_000).catch(() => this.exited)
  }
}

/** The same for every contender: what a developer's shell may carry must not change what is measured. */
export function environment(probed = false): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !['NODE_OPTIONS', 'NODE_EXTRA_CA_CERTS'].includes(name) && !name.startsWith('TUNNELCTL_'),
  )
  const environment: NodeJS.ProcessEnv = Object.fromEntries(kept)
  if (probed) environment.NODE_OPTIONS = `--import ${new URL('probe.mjs', import.meta.url).href}`
  return environment
}
