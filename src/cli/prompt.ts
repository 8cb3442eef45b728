/** Questions at the terminal. Everything is written to stderr: stdout is for results. */
import password from '@inquirer/password'
import search from '@inquirer/search'
import { TunnelError } from '../errors.ts'
import type { Io } from './io.ts'

/**
 * Asks for a secret, which is not shown.
 * @throws TunnelError INTERRUPTED
 */
export async function askSecret(message: string, io: Io): Promise<string> {
  return await answered(password({ message, mask: true }, terminalOf(io)))
}

/**
 * Lets the user pick one of what `offered` says for what was typed so far.
 * @throws TunnelError INTERRUPTED
 */
export async function searchFor<T>(
  message: string,
  offered: (term: string | undefined) => readonly { readonly name: string; readonly value: T }[],
  io: Io,
): Promise<T> {
  return await answered(search<T>({ message, source: offered, pageSize: 12 }, terminalOf(io)))
}

const terminalOf = ({ stdin, stderr }: Io) => ({ input: stdin as NodeJS.ReadStream, output: stderr })

async function answered<T>(question: Promise<T>): Promise<T> {
  try {
    return await question
  } catch (thrown) {
    if (thrown instanceof Error && thrown.name === 'ExitPromptError')
      throw new TunnelError('INTERRUPTED', 'interrupted')
    throw thrown
  }
}
