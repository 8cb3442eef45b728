/** `--ready-file`: tells scripts that the forwards are open, and where. */
import { randomBytes } from 'node:crypto'
import { rename, rm, writeFile } from 'node:fs/promises'
import { TunnelError } from '../errors.ts'
import { explainFileError } from '../net/smallfile.ts'

export interface OpenForward {
  /** `127.0.0.1:5432`. */
  readonly local: string
  readonly target: string
}

/**
 * Writes one line for each forward, `127.0.0.1:5432 db/prod:5432`, so that a reader sees all of them or no file.
 * @returns removes the file
 * @throws TunnelError USAGE
 */
export async function writeReadyFile(file: string, forwards: readonly OpenForward[]): Promise<() => Promise<void>> {
  const draft = `${file}.${randomBytes(6).toString('hex')}`
  try {
    await writeFile(draft, forwards.map(({ local, target }) => `${local} ${target}\n`).join(''))
    await rename(draft, file)
  } catch (cause) {
    await rm(draft, { force: true }).catch(() => {})
    throw new TunnelError('USAGE', `cannot write the ready file ${file}: ${explainFileError(cause)}`, {
      cause,
      hint: 'give a path in a folder that this user may write to',
    })
  }
  return async () => await rm(file, { force: true }).catch(() => {})
}
