/**
 * Real processes under test. What they say is collected and can be waited for; none of them outlives the test process.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

/** Long enough for a busy machine: a wait that reaches it is a failure, never a measurement. */
export const PATIENCE_MS = 30_000

const binary = fileURLToPath(new URL('../../bin/tunnelctl.js', import.meta.url))
const alive = new Set<ChildProcess>()
const folders = new Set<string>()
process.on('exit', () => {
  for (const child of alive) child.kill('SIGKILL')
  for (const folder of folders) removeFolder(folder)
})
// The runner ends a file that takes too long with SIGTERM; without this, 'exit' is not emitted then.
process.once('SIGTERM', () => process.exit(143))
process.once('SIGINT', () => process.exit(130))

export interface Exit {
  /** Null when a signal has ended the process. */
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** One line of JSON that a process has written: a log line of a role, or an event of `connect -o json`. */
export type JsonLine = Readonly<Record<string, unknown>> & { readonly event: string }

export interface ProcessOptions {
  readonly env?: Readonly<Record<string, string | undefined>>
  /** The caller reads stdout: nothing of it is collected. */
  readonly ownStdout?: boolean
  readonly stdin?: 'pipe' | 'ignore'
  readonly cwd?: string
  /** Only root may ask for another user. */
  readonly uid?: number
  readonly gid?: number
}

export class Process {
  readonly name: string
  readonly command: readonly string[]
  readonly exited: Promise<Exit>
  stdout = ''
  stderr = ''
  /** Every line of JSON with an `event`, of both outputs, as it came. */
  readonly events: JsonLine[] = []
  readonly #child: ChildProcess
  readonly #waiting = new Set<() => void>()
  #exit: Exit | undefined

  constructor(name: string, command: string, args: readonly string[], options: ProcessOptions = {}) {
    this.name = name
    this.command = [command, ...args]
    const child = spawn(command, args, {
      stdio: [options.stdin ?? 'ignore', 'pipe', 'pipe'],
      env: environment(options.env),
      ...(options.cwd !== undefined && { cwd: options.cwd }),
      ...(options.uid !== undefined && { uid: options.uid }),
      ...(options.gid !== undefined && { gid: options.gid }),
    })
    this.#child = child
    alive.add(child)
    if (options.ownStdout !== true) this.#collect('stdout')
    this.#collect('stderr')
    child.stdin?.on('error', () => {})
    this.exited = new Promise(resolve => {
      const ended = (exit: Exit) => {
        alive.delete(child)
        this.#exit = exit
        this.#look()
        resolve(exit)
      }
      child.on('error', error => {
        this.stderr += error.message
        if (child.pid === undefined) ended({ code: 127, signal: null })
      })
      // 'close' and not 'exit': by then everything that was written has been collected.
      child.on('close', (code, signal) => ended({ code, signal }))
    })
  }

  get pid(): number {
    return this.#child.pid ?? 0
  }

  get stdin(): Writable {
    if (this.#child.stdin === null) throw new Error(`${this.name} was started without a pipe to its stdin`)
    return this.#child.stdin
  }

  /** Only with `ownStdout`. */
  get output(): Readable {
    if (this.#child.stdout === null) throw new Error(`${this.name} has no stdout`)
    return this.#child.stdout
  }

  /** What `look` finds, asked again after each output. Rejects when the process ends first, or after `withinMs`. */
  until<T>(what: string, look: () => T | undefined, withinMs = PATIENCE_MS): Promise<T> {
    return new Promise((resolve, reject) => {
      const attempt = () => {
        const found = look()
        if (found === undefined && this.#exit === undefined) return
        clearTimeout(timer)
        this.#waiting.delete(attempt)
        if (found !== undefined) resolve(found)
        else reject(new Error(`${this.name} ended before ${what}: ${this.describe()}`))
      }
      const timer = setTimeout(() => {
        this.#waiting.delete(attempt)
        reject(new Error(`${this.name}: no ${what} within ${withinMs} ms: ${this.describe()}`))
      }, withinMs)
      this.#waiting.add(attempt)
      attempt()
    })
  }

  /** The first event with this name, from index `since` of `events` on, for which `matches` holds. */
  event(name: string, matches: (event: JsonLine) => boolean = () => true, since = 0): Promise<JsonLine> {
    let next = since
    return this.until(`event ${name}`, () => {
      while (next < this.events.length) {
        const event = this.events[next++]
        if (event?.event === name && matches(event)) return event
      }
      return undefined
    })
  }

  /** Resolves when the process is gone, and does not wait for the pipes, which its own children may still hold. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#child
    if (child.exitCode === null && child.signalCode === null && child.pid !== undefined) {
      const gone = once(child, 'exit')
      child.kill(signal)
      await gone
    }
    if (signal !== 'SIGKILL') return
    child.stdout?.destroy()
    child.stderr?.destroy()
  }

  /** Asks it to end by `signal`, and kills it when that does not help soon. */
  async stop(signal: NodeJS.Signals): Promise<void> {
    const hurry = setTimeout(() => this.#child.kill('SIGKILL'), 3_000)
    await this.kill(signal)
    clearTimeout(hurry)
    await this.kill()
  }

  /** How it ended. The process is killed, and the promise rejects, when that takes longer than `withinMs`. */
  async finished(withinMs = PATIENCE_MS): Promise<Exit> {
    try {
      return await this.until('end', () => this.#exit, withinMs)
    } catch (thrown) {
      await this.kill()
      throw thrown
    }
  }

  describe(): string {
    const { code, signal } = this.#exit ?? {}
    const state = this.#exit === undefined ? 'running' : `ended with ${code ?? signal}`
    return `${state}\n${this.stdout.slice(-2_000)}${this.stderr.slice(-2_000)}`
  }

  // What Linux tells about a running process; undefined elsewhere, or when it has ended.

  get residentBytes(): number | undefined {
    const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(this.#proc('status') ?? '') ?? []
    return kilobytes === undefined ? undefined : Number(kilobytes) * 1024
  }

  /** Open file descriptors. */
  get handles(): number | undefined {
    try {
      return readdirSync(`/proc/${this.pid}/fd`).length
    } catch {
      return undefined
    }
  }

  /** The arguments as every other process sees them, or has seen them. */
  get visibleArguments(): string {
    return this.#proc('cmdline')?.replaceAll('\0', ' ') || this.command.join(' ')
  }

  #proc(file: string): string | undefined {
    try {
      return readFileSync(`/proc/${this.pid}/${file}`, 'utf8')
    } catch {
      return undefined
    }
  }

  #collect(output: 'stdout' | 'stderr'): void {
    let rest = ''
    this.#child[output]?.setEncoding('utf8').on('data', (text: string) => {
      this[output] += text
      const lines = (rest + text).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) {
        const event = line.startsWith('{') ? parseEvent(line) : undefined
        if (event !== undefined) this.events.push(event)
      }
      this.#look()
    })
  }

  #look(): void {
    for (const attempt of [...this.#waiting]) attempt()
  }
}

/** `tunnelctl ARGS` as a user starts it, without anything of this environment that would change what it does. */
export function tunnelctl(name: string, args: readonly string[], options: ProcessOptions = {}): Process {
  return new Process(name, process.execPath, [binary, ...args], options)
}

/** Asks until `holds`, for what can only be seen from outside; fails with `describe` after `withinMs`. */
export async function eventually(
  holds: () => boolean | Promise<boolean>,
  describe: () => string | Promise<string>,
  withinMs = PATIENCE_MS,
): Promise<void> {
  const deadline = performance.now() + withinMs
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(await describe())
    await sleep(20)
  }
}

/** A new folder, which is gone at the latest when the test process ends. */
export function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tunnelctl-test-'))
  folders.add(folder)
  return folder
}

export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  folders.delete(folder)
}

/** The arguments that start `tunnelctl`, for other programs that start it themselves. */
export const tunnelctlCommand: readonly string[] = [process.execPath, binary]

function environment(added: ProcessOptions['env'] = {}): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) =>
      !name.startsWith('TUNNELCTL_') && !/^(NODE_OPTIONS|NODE_TEST_CONTEXT|NO_COLOR|FORCE_COLOR|CI)$/.test(name),
  )
  // A configuration of whoever runs the tests is nothing to them.
  const merged: NodeJS.ProcessEnv = { ...Object.fromEntries(kept), TUNNELCTL_CONFIG: '/nowhere/config.yaml', ...added }
  return Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== undefined))
}

function parseEvent(line: string): JsonLine | undefined {
  try {
    const value = JSON.parse(line) as JsonLine
    return typeof value.event === 'string' ? value : undefined
  } catch {
    return undefined
  }
}
