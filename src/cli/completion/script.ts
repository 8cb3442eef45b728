/** The completion scripts as they lie in the package, made beforehand so that printing one loads nothing. */
import { readFile } from 'node:fs/promises'
import { TunnelError } from '../../errors.ts'
import { type Shell, scriptFiles } from './shells.ts'

/** As seen from dist/, and from here. */
const folders = ['../completions/', '../../../completions/']

/** @throws TunnelError when the package is not whole */
export async function readScript(shell: Shell): Promise<string> {
  let failure: unknown
  for (const folder of folders) {
    try {
      return await readFile(new URL(folder + scriptFiles[shell], import.meta.url), 'utf8')
    } catch (thrown) {
      failure = thrown
    }
  }
  throw new TunnelError('INTERNAL', `completions/${scriptFiles[shell]} is missing beside this program`, {
    cause: failure,
    hint: 'install tunnelctl again',
  })
}
