/**
 * Notices that files have changed since they were read. It asks for them as they are behind all links: `fs.watch` sees neither the swap
 * of a link further up in their path, which is how Kubernetes renews what it mounts, nor anything on a network file system.
 */
import { stat } from 'node:fs/promises'
import type { Clock } from '../clock.ts'

/** What is renewed comes long before it is needed, and kubelet itself takes up to two minutes. */
const POLL_MS = 10_000

export class WatchedFiles {
  readonly #files: readonly string[]
  #seen = ''

  constructor(files: readonly string[]) {
    this.#files = files
  }

  /** Call it before the files are read: what changes meanwhile is a change still to come. */
  async note(): Promise<void> {
    this.#seen = await this.#fingerprint()
  }

  /** What was read is not what the files say: they count as changed, at the next look. */
  forget(): void {
    this.#seen = ''
  }

  /**
   * Calls `changed`, which reads the files again, when they are others than at the last `note`: within ten seconds. Gives what
   * ends that.
   */
  watch(clock: Clock, changed: () => Promise<unknown>): () => void {
    let state: 'watching' | 'stopped' = 'watching'
    const look = async () => {
      if ((await this.#fingerprint()) !== this.#seen && state === 'watching') await changed()
      if (state === 'watching') cancel = clock.after(POLL_MS, () => void look())
    }
    let cancel = clock.after(POLL_MS, () => void look())
    return () => {
      state = 'stopped'
      cancel()
    }
  }

  /** Differs when any of the files does, as far as the file system tells. */
  async #fingerprint(): Promise<string> {
    return (await Promise.all(this.#files.map(stateOf))).join(' ')
  }
}

async function stateOf(file: string): Promise<string> {
  try {
    const found = await stat(file, { bigint: true })
    // A pipe can be read but once.
    if (!found.isFile()) return 'no file'
    return [found.dev, found.ino, found.size, found.mtimeNs, found.ctimeNs].join(':')
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code ?? 'unknown'
  }
}
