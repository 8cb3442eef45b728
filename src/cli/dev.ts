/** `gateway --dev`: an issuer of one's own, kept between runs so that a pasted line goes on working. */
import { chmod, mkdir, rename, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { TunnelError } from '../errors.ts'
import { formatHostPort, type HostPort } from '../net/listen.ts'
import { isLoopback } from '../net/loopback.ts'
import { readPrivateKey, writeKeyPair } from '../token/keys.ts'
import { createToken } from '../token/token.ts'

export interface DevIdentity {
  readonly publicKeyFile: string
  readonly agentTokenFile: string
  readonly connectTokenFile: string
}

const TTL_MS = 7 * 24 * 60 * 60_000

/** @throws TunnelError USAGE when somebody else on the network could come in with tokens that lie around */
export function requireLoopback(listen: HostPort): void {
  if (isLoopback(listen.host)) return
  throw new TunnelError('USAGE', `--dev serves this machine only, not ${formatHostPort(listen)}`, {
    hint: 'leave out --listen, or give --verify-key in place of --dev',
  })
}

/** Keys are made once for this user, tokens anew with each start: agent `dev`, and everything allowed. */
export async function createDevIdentity(env: NodeJS.ProcessEnv): Promise<DevIdentity> {
  const folder = join(env.XDG_STATE_HOME || join(homedir(), '.local', 'state'), 'tunnelctl', 'dev')
  await mkdir(folder, { recursive: true, mode: 0o700 })
  await chmod(folder, 0o700)
  const keyFile = join(folder, 'issuer.key')
  try {
    await writeKeyPair(keyFile)
  } catch (thrown) {
    // It is there from an earlier run; if it is not usable, reading it says why.
    if (!(thrown instanceof TunnelError)) throw thrown
  }
  const key = await readPrivateKey(keyFile)
  const now = Date.now()
  const agent = { role: 'agent', subject: 'dev-agent', agents: ['dev'], allow: [], ttlMs: TTL_MS, now } as const
  const connect = { role: 'connect', subject: 'dev', agents: ['dev'], allow: ['*/*:*'], ttlMs: TTL_MS, now } as const
  const agentTokenFile = join(folder, 'agent.token')
  const connectTokenFile = join(folder, 'connect.token')
  await writeSecret(agentTokenFile, await createToken(key, agent))
  await writeSecret(connectTokenFile, await createToken(key, connect))
  return { publicKeyFile: `${keyFile}.pub`, agentTokenFile, connectTokenFile }
}

/** What to paste into two other terminals. */
export function devLines(url: string, { agentTokenFile, connectTokenFile }: DevIdentity): string {
  return [
    '# in the cluster, or on this machine with a service of your own:',
    `tunnelctl agent --gateway ${url} --token-file ${agentTokenFile} --service web/dev:80=127.0.0.1:8000`,
    '# where you want the port:',
    `tunnelctl connect --gateway ${url} --token-file ${connectTokenFile} web/dev:80`,
    '',
  ].join('\n')
}

async function writeSecret(file: string, text: string): Promise<void> {
  await writeFile(`${file}.new`, `${text}\n`, { mode: 0o600 })
  await rename(`${file}.new`, file)
}
