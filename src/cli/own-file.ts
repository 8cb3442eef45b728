/** Files of this user alone: the configuration, and secrets beside it. */
import { randomBytes } from 'node:crypto'
import { rename, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { TunnelError } from '../errors.ts'
import { explainFileError } from '../net/smallfile.ts'
import { makeOwnFolder } from './own-folder.ts'

/**
 * Writes `text` to a file that only this user may read, so that a reader sees the old text or the new.
 * @throws TunnelError USAGE
 */
export async function writePrivately(file: string, text: string): Promise<void> {
  const draft = `${file}.${randomBytes(6).toString('hex')}`
  try {
    makeOwnFolder(dirname(file))
    await writeFile(draft, text, { mode: 0o600 })
    await rename(draft, file)
  } catch (cause) {
    await rm(draft, { force: true }).catch(() => {})
    throw new TunnelError('USAGE', `cannot write ${file}: ${explainFileError(cause)}`, { cause, hint: '' })
  }
}
