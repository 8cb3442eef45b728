/**
 * Notices that files have changed. It asks for them as they are behind all links: `fs.watch` sees neither the swap of a link
 * further up in their path, which is how Kubernetes renews what it mounts, nor anything on a network file system.
 */
import { stat } from 'node:fs/promises'
import type { Clock } from '../clock.ts'

/** What is renewed comes long before it is needed, and kubelet itself takes up to two minutes. */
const POLL_MS = 10_000

/** Calls `changed` when a file is another than the last time, at most ten seconds later. Gives what ends that. */
export function watchFiles(files: readonly string[], clock: Clock, changed: () => Promise<unknown>): () => void {
  let state: 'watching' | 'stopped' = 'watching'
  let cancel = () => {}
  const look = async (seen: string | undefined) => {
    const now = await fingerprint(files)
    if (state === 'stopped') return
    if (seen !== undefined && now !== seen) await changed()
    if (state === 'watching') cancel = clock.after(POLL_MS, () => void look(now))
  }
  void look(undefined)
  return () => {
    state = 'stopped'
    cancel()
  }
}

/** Differs when any of the files does, as far as the file system tells. */
async function fingerprint(files: readonly string[]): Promise<string> {
  return (await Promise.all(files.map(stateOf))).join(' ')
}

async function stateOf(file: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeMs } = await stat(file)
    return `${dev}:${ino}:${size}:${mtimeMs}`
  } catch (thrown) {
    return String((thrown as NodeJS.ErrnoException).code)
  }
}
