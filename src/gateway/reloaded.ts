/**
 * What an operator's files say, and their renewal while the gateway runs: a reading that is good takes the place of the last one as a
 * whole, and one that is not changes nothing but the log.
 */
import type { Clock } from '../clock.ts'
import { asTunnelError, type TunnelError } from '../errors.ts'
import type { Log } from '../observe/log.ts'
import { WatchedFiles } from './watched-files.ts'

export interface ReloadedOptions<T> {
  /** What it is, in the lines of the log: `routes`. */
  readonly what: string
  /** Paths. */
  readonly files: readonly string[]
  /** Reads all of them. Rejects when they cannot be used as they are. */
  readonly read: () => Promise<T>
  /** Takes over each reading but the first, before the log tells of it. */
  readonly changed?: (reading: T) => void
  /** Of a reading, for the log. */
  readonly describe: (reading: T) => object
  readonly log: Log
}

export class Reloaded<T> {
  readonly #options: ReloadedOptions<T>
  readonly #files: WatchedFiles
  #current: T
  #reloading: Promise<unknown> = Promise.resolve()
  /** Why the last reading was no good. */
  #failed: string | undefined

  private constructor(options: ReloadedOptions<T>, files: WatchedFiles, first: T) {
    this.#options = options
    this.#files = files
    this.#current = first
  }

  /** Throws what `read` throws. */
  static async load<T>(options: ReloadedOptions<T>): Promise<Reloaded<T>> {
    const files = new WatchedFiles(options.files)
    await files.note()
    return new Reloaded(options, files, await options.read())
  }

  /** The last good reading. */
  get current(): T {
    return this.#current
  }

  /**
   * Resolves with the failure when the files cannot be used, and the last reading stays. Both are logged. Never rejects.
   * @param asked by somebody who wants to hear of a failure that was logged already
   */
  reload(asked = true): Promise<TunnelError | undefined> {
    // One after the other, or an older reading could replace a newer one.
    const reloaded = this.#reloading.then(() => this.#replace(asked))
    this.#reloading = reloaded
    return reloaded
  }

  /** Reloads when a file has changed; gives what ends that. */
  watch(clock: Clock): () => void {
    return this.#files.watch(clock, () => this.reload(false))
  }

  async #replace(asked: boolean): Promise<TunnelError | undefined> {
    const { what, read, changed, describe, log } = this.#options
    await this.#files.note()
    try {
      this.#current = await read()
      changed?.(this.#current)
      this.#failed = undefined
      log.info(`${what} reloaded`, describe(this.#current))
      return undefined
    } catch (thrown) {
      const error = asTunnelError(thrown)
      // It may pass by itself, as when there are no descriptors; until then it is said once.
      this.#files.forget()
      if (asked || error.message !== this.#failed) log.error(`${what} not reloaded`, { error })
      this.#failed = error.message
      return error
    }
  }
}
