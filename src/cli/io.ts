/** What a command may touch of its process, as an argument. `process` is one. */
import type { Readable, Writable } from 'node:stream'

export interface Output extends Writable {
  readonly isTTY?: boolean | undefined
  readonly columns?: number | undefined
}

export interface Io {
  readonly stdin: Readable & { readonly isTTY?: boolean | undefined }
  /** Results only. */
  readonly stdout: Output
  /** Everything else. */
  readonly stderr: Output
  readonly env: NodeJS.ProcessEnv
}
