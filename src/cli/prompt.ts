/** Questions at the terminal. Everything is written to stderr: stdout is for results. */
import password from '@inquirer/password'
import { TunnelError } from '../errors.ts'
import type { Io } from './io.ts'

/**
 * Asks for a secret, which is not shown.
 * @throws TunnelError INTERRUPTED
 */
export async function askSecret(message: string, io: Io): Promise<string> {
  return await answered(password({ message, mask: true }, { input: io.stdin as NodeJS.ReadStream, output: io.stderr }))
}

async function answered<T>(question: Promise<T>): Promise<T> {
  try {
    return await question
  } catch (thrown) {
    if (thrown instanceof Error && thrown.name === 'ExitPromptError')
      throw new TunnelError('INTERRUPTED', 'interrupted')
    throw thrown
  }
}
