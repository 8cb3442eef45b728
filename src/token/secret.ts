/** Where a token comes from: a file, stdin or the environment, and never an argument, which every process can read. */
import type { Readable } from 'node:stream'
import { TunnelError } from '../errors.ts'
import { tokenLimits } from '../net/claims.ts'
import { readSmallFile, readSmallStream } from '../net/smallfile.ts'

export interface TokenSource {
  /** The value of `--token-file`; `-` is stdin. Goes before `TUNNELCTL_TOKEN`. */
  readonly tokenFile?: string | undefined
  readonly env: Readonly<Record<string, string | undefined>>
  readonly stdin: Readable
  /** Told in one line when others than the owner may read the file. */
  readonly warn?: (message: string) => void
}

/** Room for the blanks around a token of full size. */
const maxFileBytes = 2 * tokenLimits.bytes

const jwt = /^[\w-]+\.[\w-]+\.[\w-]+$/

/** Where that lies which renews the token of a file: beside it. Absent for tokens that nobody can renew. */
export const grantFile = (tokenFile: string): string => `${tokenFile}.grant`

/**
 * The token, without the blanks around it. Read it again for each dial: whoever rotates tokens replaces the file.
 * @throws TunnelError TOKEN_FILE in one line that never shows what was read
 */
export async function readToken({ tokenFile, env, stdin, warn }: TokenSource): Promise<string> {
  if (tokenFile === '-') return onlyToken(await readStdin(stdin), 'stdin')
  if (tokenFile !== undefined) {
    if (jwt.test(tokenFile) && tokenFile.startsWith('eyJ')) {
      throw new TunnelError('TOKEN_FILE', '--token-file was given a token, not the name of a file', {
        hint: 'every process can read arguments: put the token into a file, and get a new one if others use this machine',
      })
    }
    const { text, openMode } = await readSmallFile(tokenFile, maxFileBytes, 'TOKEN_FILE')
    const token = onlyToken(text, tokenFile)
    if (openMode !== undefined)
      warn?.(`other users can read the token in ${tokenFile} (mode ${openMode}): chmod 600 it`)
    return token
  }
  const { TUNNELCTL_TOKEN: token } = env
  if (token !== undefined) return onlyToken(token, 'TUNNELCTL_TOKEN')
  throw new TunnelError('TOKEN_FILE', 'no token was given', {
    hint: 'give --token-file FILE (- for stdin) or set TUNNELCTL_TOKEN',
  })
}

async function readStdin(stdin: Readable): Promise<string> {
  try {
    const text = await readSmallStream(stdin, maxFileBytes)
    if (text !== undefined) return text
  } catch (thrown) {
    throw new TunnelError('TOKEN_FILE', 'cannot read stdin', { cause: thrown })
  }
  throw oversized('stdin')
}

function onlyToken(text: string, from: string): string {
  const words = text.split(/[\s\uFEFF]+/).filter(word => word !== '')
  const [token] = words
  if (token === undefined) throw new TunnelError('TOKEN_FILE', `${from} is empty, it must hold one token`)
  if (/^(\{|-----BEGIN)/.test(token)) throw new TunnelError('TOKEN_FILE', `${from} holds a key or JSON, not a token`)
  if (words.length > 1)
    throw new TunnelError('TOKEN_FILE', `${from} holds more than one token, or other text beside it`)
  if (token.length > tokenLimits.bytes) throw oversized(from)
  if (!jwt.test(token)) throw new TunnelError('TOKEN_FILE', `${from} holds no token: it must be a JWT, a.b.c`)
  return token
}

function oversized(from: string): TunnelError {
  return new TunnelError('TOKEN_FILE', `${from} is over ${tokenLimits.bytes / 1024} KiB, too long for a token`)
}
