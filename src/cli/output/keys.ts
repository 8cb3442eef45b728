/** Single keys at the terminal, while the live block is shown and this process is the one that the terminal listens to. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** What of `process.stdin` is used; a terminal. */
export interface KeyInput {
  setRawMode(raw: boolean): unknown
  on(event: 'data', read: (chunk: Buffer | string) => void): unknown
  off(event: 'data', read: (chunk: Buffer | string) => void): unknown
  resume(): unknown
  pause(): unknown
}

/** In raw mode the terminal sends no signals for these: so this does, to all of the job, as the terminal would. */
const signalKeys: ReadonlyMap<string, NodeJS.Signals> = new Map([
  ['\x03', 'SIGINT'],
  ['\x1c', 'SIGQUIT'],
  ['\x1a', 'SIGTSTP'],
])

export interface KeysOptions {
  readonly input: KeyInput
  readonly pressed: (key: string) => void
  /** Default: to the process group. */
  readonly raise?: (signal: NodeJS.Signals) => void
  /** Default: asked of the system. In the background, touching the terminal's mode would stop the process. */
  readonly inForeground?: () => boolean
}

export class Keys {
  readonly #options: KeysOptions
  #on = false

  constructor(options: KeysOptions) {
    this.#options = options
  }

  get on(): boolean {
    return this.#on
  }

  /** Listens from now on, if the terminal is ours. */
  start(): void {
    const { input, inForeground = isInForeground } = this.#options
    if (this.#on || !inForeground()) return
    this.#on = true
    input.setRawMode(true)
    input.on('data', this.#read)
    input.resume()
  }

  /** Gives the terminal back as it was. */
  stop(): void {
    const { input } = this.#options
    if (!this.#on) return
    this.#on = false
    input.off('data', this.#read)
    input.setRawMode(false)
    input.pause()
  }

  readonly #read = (chunk: Buffer | string): void => {
    const { pressed, raise = raiseForJob } = this.#options
    const text = String(chunk)
    // An arrow or a function key is a sequence, and none of its letters is meant.
    if (text.startsWith('\x1b')) return
    for (const key of text) {
      const signal = signalKeys.get(key)
      if (signal === undefined) pressed(key)
      else raise(signal)
    }
  }
}

const raiseForJob = (signal: NodeJS.Signals): void => void process.kill(0, signal)

/** Whether the process group of this process is the one in front at its terminal. */
export function isInForeground(): boolean {
  try {
    if (process.platform === 'win32') return true
    if (process.platform === 'linux') {
      // proc(5): behind the name in brackets come state, ppid, pgrp, session, tty_nr and tpgid.
      const [, , group, , , front] = readFileSync('/proc/self/stat', 'utf8')
        .replace(/^.*\) /s, '')
        .split(' ')
      return group === front
    }
    const { stdout } = spawnSync('ps', ['-o', 'pgid=,tpgid=', '-p', String(process.pid)], { encoding: 'utf8' })
    const [group, front] = stdout.trim().split(/\s+/)
    return group !== undefined && group === front
  } catch {
    return false
  }
}
