/** Folders of this user alone, for configuration, cache and state. */
import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'

/** More than this many are never missing; and the recursion of Node's own `mkdir` does not end under /proc. */
const MAX_MISSING = 4

/** Makes `folder`, and those above it that are missing. Throws what the file system says. */
export function makeOwnFolder(folder: string, missing = MAX_MISSING): void {
  try {
    mkdirSync(folder, { mode: 0o700 })
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException
    if (code === 'EEXIST') return
    if (code !== 'ENOENT' || missing === 0) throw thrown
    makeOwnFolder(dirname(folder), missing - 1)
    mkdirSync(folder, { mode: 0o700 })
  }
}
